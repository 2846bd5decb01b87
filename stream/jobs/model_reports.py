"""A process's word on its models, every few seconds, from whichever subtask has a frame then."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from pyflink.datastream import OutputTag

from contracts.model_reports import ModelReport
from stream.jobs.clock import Clock, now_ms
from stream.jobs.kafka import keyed_type
from stream.rollout import Tally

if TYPE_CHECKING:
    from stream.vision import ModelSlot

EVERY_MS = 2_000


def reports_tag() -> OutputTag:
    """The side output of reports; made anew for each use."""
    return OutputTag("model-reports", keyed_type())


class ModelReports:
    """Threads may share it: of those that ask, one is given the report that is due."""

    def __init__(self, slot: ModelSlot, tally: Tally, clock: Clock = now_ms) -> None:
        self._slot = slot
        self._tally = tally
        self._clock = clock
        self._lock = threading.Lock()
        self._next_ms = 0
        self._process = f"{socket.gethostname()}-{os.getpid()}"

    def due(self, site: str) -> ModelReport | None:
        """The report since the one before, once EVERY_MS are over; the slot's old models are let go with it."""
        at_ms = self._clock()
        with self._lock:
            if at_ms < self._next_ms:
                return None
            self._next_ms = at_ms + EVERY_MS
        self._slot.tidy()
        served, compared = self._tally.drain()
        status = self._slot.status()
        return ModelReport(
            site=site,
            process=self._process,
            at_ms=at_ms,
            in_service=status.in_service,
            candidate=status.candidate or status.watched,
            stage=status.stage,
            version=status.version,
            state=status.state,
            reason=status.reason,
            served=served,
            compared=compared,
        )
