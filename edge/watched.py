"""A reader that is replaced when a call into its input hangs, and says when that can't go on."""

from __future__ import annotations

import logging
from collections.abc import Callable

from contracts.config import Input
from edge.reader import Ends, Reader
from edge.source import Shot

log = logging.getLogger(__name__)

MAX_HANGING = 5
"""Readers that hang are left behind; each holds a thread and a connection, so not without end."""


class WatchedReader:
    """Reads as Reader does, which its arguments are for; `watch` is to be called about once a second."""

    def __init__(
        self, camera: str, source: Input, ends: Ends, take: Callable[[Shot], None], failed: Callable[[], None]
    ) -> None:
        self._camera, self._source, self._ends, self._take, self._failed = camera, source, ends, take, failed
        self._left_behind: list[Reader] = []
        self._stuck = False
        self._reader = self._new_reader()

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._reader.stop()

    def join(self, timeout_s: float) -> bool:
        """Whether it ended within that time; what was left behind isn't waited for."""
        return self._reader.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether its recording is over."""
        return self._reader.ended

    @property
    def stuck(self) -> bool:
        """Whether it hangs and is replaced no more: as long as none of those left behind comes back."""
        return self._stuck

    @property
    def error(self) -> str:
        """Why it doesn't deliver; empty while it does."""
        if self._stuck:
            return f"{len(self._left_behind) + 1} reads hang, and only a new start of the agent ends them"
        return self._reader.error

    def watch(self) -> None:
        """Leave a reader behind that hangs in a call in spite of its time-outs, and begin with a new one."""
        self._left_behind = [reader for reader in self._left_behind if not reader.join(0)]
        hung = self._reader.hung
        self._stuck = hung and len(self._left_behind) >= MAX_HANGING
        if not hung or self._stuck:
            return
        self._left_behind.append(self._reader)
        log.error(
            "a read hangs; it is left behind", extra={"camera": self._camera, "left_behind": len(self._left_behind)}
        )
        self._reader.stop()
        self._reader = self._new_reader()
        self._reader.start()

    def _new_reader(self) -> Reader:
        # The reader is bound late, so that one that was left behind is told from the one in charge.
        def take(shot: Shot) -> None:
            if not reader.stopped:
                self._take(shot)

        reader = Reader(self._camera, self._source, self._ends, take, self._failed)
        return reader
