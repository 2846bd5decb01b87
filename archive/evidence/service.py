"""The evidence process: alerts in, folders out, bad alerts to the dead letters, old days away."""

from __future__ import annotations

import logging
import threading

from archive.evidence import paths
from archive.evidence.frames import Stopped
from archive.evidence.writer import EvidenceWriter
from archive.letters import Clock, Letters
from bus.consuming import Record
from bus.errors import BusError
from bus.group import GroupReader
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Alert

log = logging.getLogger(__name__)

GROUP = "vedette-evidence"
SOURCE = "evidence"
BATCH = 20
"""Alerts between two commits: what is done again after a kill."""
POLL_S = 0.25


class Service:
    """Consumes `alerts` until `stop`; offsets are committed after the writes."""

    def __init__(
        self,
        bootstrap: str,
        writer: EvidenceWriter,
        letters: Letters,
        *,
        keep_days: float,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._bootstrap = bootstrap
        self._writer = writer
        self._letters = letters
        self._keep_days = keep_days
        self._clock = clock
        self._stop = stop
        self._expired_at_ms = -topics.DAY_MS

    def run(self) -> None:
        """Work until `stop` is set. Raises OSError when the disk takes no more: the supervisor starts it again."""
        consumer = self._connected()
        if consumer is None:
            return
        try:
            while not self._stop.is_set():
                self._expire()
                records = consumer.read(POLL_S, BATCH)
                for record in records:
                    self.handle(record)
                if records:
                    # One that fails is logged: the alerts come again, and find their folders written.
                    consumer.commit()
        except Stopped:
            log.info("stopped while an alert was under way; it is done again after the next start")
        finally:
            # The offsets of whole batches are committed already.
            consumer.close()

    def handle(self, record: Record) -> None:
        """Keep one alert, or make it a dead letter."""
        try:
            alert = decode(record.value or b"", Alert)
            written = self._writer.write(alert)
        except ContractError as error:
            log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error)
            if not self._letters.send_for_sure(record, error.reason, self._stop):
                raise Stopped("while writing a dead letter") from error
            return
        about = {"camera": alert.camera, "alert": alert.id}
        if written.missed:
            log.warning("%s %s: no picture: %s", alert.camera, alert.id, written.missed, extra=about)
        elif written.pictures:
            log.info("%s %s: %s", alert.camera, alert.id, written.folder / paths.SNAPSHOT, extra=about)

    def _expire(self) -> None:
        now_ms = self._clock()
        if now_ms - self._expired_at_ms >= topics.DAY_MS:
            for folder in paths.expire(self._writer.root, now_ms, self._keep_days):
                log.info("%s: older than %g days, deleted", folder, self._keep_days)
            self._expired_at_ms = now_ms

    def _connected(self) -> GroupReader | None:
        """A member of the group, or None when `stop` came first."""
        while not self._stop.is_set():
            try:
                return GroupReader(self._bootstrap, topics.ALERTS, GROUP)
            except BusError as error:
                log.warning("broker %s: %s", self._bootstrap, error)
            self._stop.wait(1)
        return None
