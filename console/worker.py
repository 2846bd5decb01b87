"""A thread of the console's: one that begins, ends when it is told to, and may be woken when there is work."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

ENDS_WITHIN_S = 5.0


class Worker(ABC):
    """One thread: `_run`, which returns soon after `_stop` is set. Making it starts nothing."""

    def __init__(self, name: str, ends_within_s: float = ENDS_WITHIN_S) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ends_within_s = ends_within_s

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way; a thread that hangs in a call is left behind when its time is over."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._ends_within_s)

    @abstractmethod
    def _run(self) -> None: ...


class WokenWorker(Worker):
    """A worker that waits for `_woken` when there is nothing to do."""

    def __init__(self, name: str, ends_within_s: float = ENDS_WITHIN_S) -> None:
        super().__init__(name, ends_within_s)
        self._woken = threading.Event()

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stop.set()
        self._woken.set()
        super().stop()
