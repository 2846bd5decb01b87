"""A thread that reads one input for ever: opens it, hands its pictures on, and opens it again when it fails."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contracts.config import Input
from contracts.errors import CameraError
from edge.capture import OpenCapture, set_up_thread
from edge.source import Shot, Timing, shots
from edge.urls import fill_secrets, redact

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """The pause before attempt n (from 0) is first_s x 2**n, at most longest_s, of which the upper half is chance."""

    first_s: float = 0.5
    longest_s: float = 10.0

    def pause_s(self, attempt: int, chance: random.Random) -> float:
        """The pause; cameras that failed together don't come back together."""
        whole = min(self.first_s * 2.0 ** min(attempt, 30), self.longest_s)
        return whole * chance.uniform(0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What a reader needs of the outside."""

    open_capture: OpenCapture
    secrets: Mapping[str, str]
    timing: Timing
    chance: random.Random
    backoff: Backoff = Backoff()


class Reader:
    """Reads `source` of `camera` and calls `take` with every picture, on its own thread.

    `error` is what stopped it last ("" while it delivers), `ended` whether a recording is over. Whatever goes wrong, in
    the input or in `take`, is this camera's own failure: it is reported, and the input opened again.
    """

    def __init__(
        self, camera: str, source: Input, ends: Ends, take: Callable[[Shot], None], failed: Callable[[], None]
    ) -> None:
        self._camera, self._source, self._ends, self._take, self._failed = camera, source, ends, take, failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera}", daemon=True)
        self.error = ""
        self.ended = False
        self.alive_s = time.monotonic()

    def start(self) -> None:
        """Begin to read."""
        self.alive_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; a read under way is not interrupted."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end: what it still reads then is not wanted."""
        return self._stop.is_set()

    @property
    def hung(self) -> bool:
        """Whether a call into the input is under way for far longer than its time-outs allow."""
        allowed_s = self._source.open_timeout_s + self._source.read_timeout_s + self._ends.backoff.longest_s + 10
        return self._thread.is_alive() and time.monotonic() - self.alive_s > allowed_s

    def _run(self) -> None:
        set_up_thread()
        attempt = 0
        while not self._stop.is_set():
            try:
                for shot in self._shots():
                    self.alive_s = time.monotonic()
                    self._take(shot)
                    self.error, attempt = "", 0
                self.ended = not self._stop.is_set()
                return
            except CameraError as error:
                self._pause(str(error), attempt)
            except Exception as error:
                # One camera's failure is no other's, whatever it is.
                log.exception("the camera failed", extra={"camera": self._camera})
                self._pause(f"{type(error).__name__}: {error}", attempt)
            attempt += 1

    def _shots(self) -> Iterator[Shot]:
        ends = self._ends
        url = fill_secrets(self._source.url, ends.secrets)
        return shots(self._source, url, ends.open_capture, ends.timing, self._stop)

    def _pause(self, error: str, attempt: int) -> None:
        self.error = redact(error)
        pause_s = self._ends.backoff.pause_s(attempt, self._ends.chance)
        log.warning("no picture", extra={"camera": self._camera, "error": self.error, "again_in_s": round(pause_s, 2)})
        self._failed()
        self._stop.wait(pause_s)
        self.alive_s = time.monotonic()
