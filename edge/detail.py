"""The camera's main stream, read beside the sub-stream: a picture of it is decoded only when one is asked for."""

from __future__ import annotations

import threading
import time

from contracts.config import Input
from edge.motion import Image
from edge.reader import Ends
from edge.source import Shot
from edge.watched import WatchedReader

WAIT_S = 0.15
"""A main stream of ten pictures a second has the next one within 0.1 s; later would be another moment."""
SILENT_S = 8.0
"""A main stream that gave no picture for so long is not waited for, and its silence is said."""


class DetailReader:
    """Keeps the detail input open and gives the next picture of it on demand."""

    def __init__(self, camera: str, source: Input, ends: Ends) -> None:
        self._reader = WatchedReader(f"{camera}-detail", source, ends, self._take, lambda: None)
        self._changed = threading.Condition()
        self._wanted = False
        self._seen_s = time.monotonic()
        self._picture: tuple[Image, int] | None = None
        self.size: tuple[int, int] | None = None

    def start(self) -> None:
        """Begin to read; the first picture tells the size."""
        self._wanted, self._seen_s = True, time.monotonic()
        self._reader.start()

    def next(self, timeout_s: float = WAIT_S) -> tuple[Image, int] | None:
        """The next picture (H, W, 3) and its time of capture in ms; None when none comes in time."""
        with self._changed:
            self._wanted, self._picture = True, None
            if self.error or self._reader.ended:
                return None
            self._changed.wait_for(lambda: self._picture is not None, timeout_s)
            picture, self._picture = self._picture, None
            return picture

    def stop(self) -> None:
        """Ask it to end."""
        self._reader.stop()

    def join(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        return self._reader.join(timeout_s)

    @property
    def error(self) -> str:
        """Why it doesn't deliver; empty while it does."""
        silent = not self._reader.ended and time.monotonic() - self._seen_s >= SILENT_S
        return self._reader.error or (f"no picture of the main stream for {SILENT_S:g} s" if silent else "")

    def watch(self) -> None:
        """Replace the reader when it hangs."""
        self._reader.watch()

    def _take(self, shot: Shot) -> None:
        self._seen_s = time.monotonic()
        if not self._wanted:
            return
        picture = shot.picture()
        with self._changed:
            self._wanted = False
            self._picture = (picture, shot.captured_at_ms)
            self.size = (picture.shape[1], picture.shape[0])
            self._changed.notify_all()
