"""Says in the terminal what becomes of models: operators' own logs are Flink's, which nobody has open."""

from __future__ import annotations

import logging

from bus.consuming import Record
from bus.follower import Follower
from contracts import topics
from contracts.codec import decode
from contracts.controls import Control, EndCandidate
from contracts.errors import ContractError
from contracts.model_reports import ModelReport
from stream.jobs.kafka import KafkaEnds

log = logging.getLogger("vedette.jobs")


class ModelNews:
    """Each piece of news once; what is older than `since_ms` is none."""

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self._said: set[str] = set()

    def start(self, ends: KafkaEnds) -> None:
        """Follow the topics, each in a thread of its own."""
        Follower(ends.bootstrap, ends.prefix + topics.CONTROLS, self.control).begin()
        Follower(ends.bootstrap, ends.prefix + topics.MODEL_REPORTS, self.report).begin()

    def control(self, record: Record) -> None:
        """Whether a candidate is taken back."""
        try:
            control = decode(record.value or b"", Control)
        except ContractError:
            return  # the job that reads the same record makes the dead letter
        change = control.change
        if isinstance(change, EndCandidate) and control.effective_from_ms >= self._since_ms:
            self._say(f"model {change.model} is taken back: {change.reason}")

    def report(self, record: Record) -> None:
        """Whether a model is refused or fails."""
        try:
            report = decode(record.value or b"", ModelReport)
        except ContractError:
            return  # as above
        if report.at_ms >= self._since_ms and report.state in ("refused", "failing"):
            self._say(f"{report.reason}; {report.in_service} is in service")

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            log.warning("%s", line)
