"""Tells in the terminal when each camera's pictures come through the jobs, how late, and when one delivers nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from contracts import topics
from contracts.codec import decode
from contracts.edge_messages import EdgeStatus
from contracts.errors import ContractError
from contracts.messages import FrameTracks
from vedette.feed import follow

CAUGHT_UP_S = 2.0
"""So long after its picture a track may come for alerts to be called live: batches and a busy second are within it."""
FIRST_WORD_S, LAST_WORD_S = 5.0, 60.0
"""How far behind it is, is said so long after the last time: each wait is twice the one before, up to the second."""


class CameraWatch:
    """`cameras` are those that are to deliver; `say` gets lines.

    The agent sends while the jobs still start, and they work that off first: `all_well` is called once when all cameras
    deliver and none's tracks come more than CAUGHT_UP_S after its pictures.
    """

    def __init__(
        self, cameras: Iterable[str], started_ms: int, say: Callable[[str], None], all_well: Callable[[], None]
    ) -> None:
        self._waiting = set(cameras)
        self._known = frozenset(cameras)
        self._started_ms = started_ms
        self._say = say
        self._all_well = all_well
        self._behind_s: dict[str, float] = {}
        self._next_word_ms = 0
        self._next_wait_s = FIRST_WORD_S
        self._down: set[str] = set()
        self.well = False

    def tracked(self, frame: FrameTracks, now_ms: int) -> None:
        """A frame went all the way; one from before the start proves nothing of the camera."""
        if self.well or frame.captured_at_ms < self._started_ms or frame.camera not in self._known:
            return
        if frame.camera in self._waiting:
            self._waiting.remove(frame.camera)
            self._say(f"{frame.camera}: pictures come, and are looked at")
        if frame.lane == "live":  # what waited in a spool is late whatever the jobs do
            self._behind_s[frame.camera] = (now_ms - frame.captured_at_ms) / 1000
        if len(self._behind_s) == len(self._known):
            self._look(now_ms)

    def _look(self, now_ms: int) -> None:
        behind_s = max(self._behind_s.values())
        if behind_s < CAUGHT_UP_S:
            self.well = True
            self._all_well()
        elif now_ms >= self._next_word_ms:
            self._say(f"catching up: {behind_s:.0f} s behind")
            self._next_word_ms = now_ms + round(self._next_wait_s * 1000)
            self._next_wait_s = min(2 * self._next_wait_s, LAST_WORD_S)

    def told(self, status: EdgeStatus) -> None:
        """An agent's word: said when a camera goes down, and when it is up again."""
        if status.at_ms < self._started_ms or status.camera not in self._known:
            return
        if status.state == "down" and status.camera not in self._down:
            self._down.add(status.camera)
            self._say(f"{status.camera}: no pictures; {status.reason or 'no reason is known'}")
        elif status.state == "up" and status.camera in self._down:
            self._down.remove(status.camera)
            self._say(f"{status.camera}: pictures again")

    def start(self, bootstrap: str, stop: threading.Event) -> None:
        """Follow the topics until `stop`, in threads of their own; the tracks only until all is well."""
        for target in (self._follow_tracks, self._follow_status):
            threading.Thread(target=target, args=(bootstrap, stop), name=target.__name__, daemon=True).start()

    def _follow_tracks(self, bootstrap: str, stop: threading.Event) -> None:
        for value in follow(bootstrap, topics.TRACKS, stop, self._say):
            try:
                self.tracked(decode(value, FrameTracks), time.time_ns() // 1_000_000)
            except ContractError:
                continue  # analytics reads the same record and writes the dead letter
            if self.well:
                return

    def _follow_status(self, bootstrap: str, stop: threading.Event) -> None:
        for value in follow(bootstrap, topics.EDGE_STATUS, stop, self._say):
            try:
                self.told(decode(value, EdgeStatus))
            except ContractError:
                continue  # decide reads the same record and writes the dead letter
