"""Tells in the terminal when each camera's pictures come through the jobs, and when one delivers nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import EdgeStatus, FrameTracks
from vedette.feed import follow


class CameraWatch:
    """`cameras` are those that are to deliver; `say` gets lines; `all_seen` is called once when all of them do."""

    def __init__(
        self, cameras: Iterable[str], started_ms: int, say: Callable[[str], None], all_seen: Callable[[], None]
    ) -> None:
        self._waiting = set(cameras)
        self._known = frozenset(cameras)
        self._started_ms = started_ms
        self._say = say
        self._all_seen = all_seen
        self._down: set[str] = set()

    def tracked(self, frame: FrameTracks) -> None:
        """A frame went all the way; one from before the start proves nothing of the camera."""
        if frame.captured_at_ms < self._started_ms or frame.camera not in self._waiting:
            return
        self._waiting.remove(frame.camera)
        self._say(f"{frame.camera}: pictures come, and are looked at")
        if not self._waiting:
            self._all_seen()

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
        """Follow the topics until `stop`, in threads of their own; the tracks only until all cameras were seen."""
        for target in (self._follow_tracks, self._follow_status):
            threading.Thread(target=target, args=(bootstrap, stop), name=target.__name__, daemon=True).start()

    def _follow_tracks(self, bootstrap: str, stop: threading.Event) -> None:
        for value in follow(bootstrap, topics.TRACKS, stop, self._say):
            try:
                self.tracked(decode(value, FrameTracks))
            except ContractError:
                continue  # analytics reads the same record and writes the dead letter
            if not self._waiting:
                return

    def _follow_status(self, bootstrap: str, stop: threading.Event) -> None:
        for value in follow(bootstrap, topics.EDGE_STATUS, stop, self._say):
            try:
                self.told(decode(value, EdgeStatus))
            except ContractError:
                continue  # decide reads the same record and writes the dead letter
