"""A worker's thread begins and ends, is woken at once, and is left behind where it hangs."""

from __future__ import annotations

import threading
import time

from console.worker import WokenWorker


class Counting(WokenWorker):
    """Takes a step each time that it is woken; `hangs` keeps it in its first one."""

    def __init__(self, ends_within_s: float = 5.0) -> None:
        super().__init__("counting", ends_within_s)
        self.hangs = threading.Event()
        self.hangs.set()
        self.stepped = threading.Semaphore(0)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(60)
            self._woken.clear()
            self.hangs.wait(60)
            self.stepped.release()


def test_it_is_woken_and_ends() -> None:
    worker = Counting()
    worker.stop()  # one that never began
    worker = Counting()
    worker.start()
    worker.wake()
    assert worker.stepped.acquire(timeout=30)
    worker.stop()
    assert not worker._thread.is_alive()


def test_one_that_hangs_is_left_behind() -> None:
    worker = Counting(ends_within_s=0.1)
    worker.hangs.clear()
    worker.start()
    began_s = time.monotonic()
    worker.stop()
    assert time.monotonic() - began_s < 30
    assert worker._thread.is_alive()
    worker.hangs.set()
    worker._thread.join(30)
    assert not worker._thread.is_alive()
