"""Looks at frames with a second model, beside the normal path: what there is no time for is not looked at."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from contracts.errors import ContractError
from contracts.messages import Detection, Frame

log = logging.getLogger(__name__)

DUTY = 0.25
"""The share of one core's time that it takes at most: after a frame it rests three times as long as that took."""
NICENESS = 19
"""Where cores are short, frames on their way go first."""

Look = Callable[[Frame], tuple[tuple[Detection, ...], float]]
"""A frame to its detections and what they cost, s."""


@dataclass(frozen=True)
class Comparison:
    """A frame to look at, and what is done with the detections and their seconds, or with the failure."""

    frame: Frame
    look: Look
    done: Callable[[tuple[Detection, ...], float], None]
    failed: Callable[[Exception], None]


class Beside:
    """One thread, made when first needed; it takes a frame only while it has nothing to do."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._next: Comparison | None = None
        self._busy = False
        self._rests_until_s = -float("inf")
        self._thread: threading.Thread | None = None
        self._closed = False

    def offer(self, comparison: Comparison) -> bool:
        """Take the frame, or leave it, at once."""
        with self._changed:
            if self._busy or self._closed or self._clock() < self._rests_until_s:
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="beside", daemon=True)
                self._thread.start()
            self._next, self._busy = comparison, True
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """End once the frame in hand is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._closed)
                comparison, self._next = self._next, None
            if comparison is None:
                return
            took_s = self._compare(comparison)
            with self._changed:
                self._rests_until_s = self._clock() + took_s * (1 / DUTY - 1)
                self._busy = False

    def _compare(self, comparison: Comparison) -> float:
        started_s = self._clock()
        try:
            detections, seconds = comparison.look(comparison.frame)
        except ContractError:
            log.exception("a frame that was detected can't be looked at once more")
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common public base
            comparison.failed(error)
        else:
            comparison.done(detections, seconds)
        return self._clock() - started_s
