"""The evidence process: alerts in, folders out, bad alerts to the dead letters, old days away."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable

from archive.evidence import paths
from archive.evidence.frames import Stopped
from archive.evidence.writer import EvidenceWriter
from bus.consuming import Record
from bus.errors import BusError
from bus.group import GroupReader
from bus.producer import KafkaLink, deliver
from contracts import metrics, topics
from contracts.codec import decode, encode
from contracts.errors import ContractError
from contracts.messages import Alert, DeadLetter
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

GROUP = "vedette-evidence"
SOURCE = "evidence"
MAX_PAYLOAD = 64 * 1024
LETTER_S = 2.0
BATCH = 20
"""Alerts between two commits: what is done again after a kill."""
POLL_S = 0.25

Clock = Callable[[], int]
"""Milliseconds since the epoch."""


class Letters:
    """Puts what is no alert on `dead-letters`. Connects on the first one."""

    def __init__(self, bootstrap: str, measured: Metrics, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._metrics = measured
        self._clock = clock
        self._made: KafkaLink | None = None

    def send(self, record: Record, reason: str) -> None:
        """Write one and wait until the broker has it; raises BusError."""
        value = record.value or b""
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            source=SOURCE,
            reason=reason[:4000],
            sha256=hashlib.sha256(value).hexdigest(),
            size=len(value),
            payload=value[:MAX_PAYLOAD],
            at_ms=self._clock(),
        )
        if self._made is None:
            self._made = KafkaLink(self._bootstrap)
        deliver(self._made, topics.DEAD_LETTERS, record.topic, encode(letter), letter.at_ms, LETTER_S)
        self._metrics.counter(metrics.DEAD_LETTERS, SOURCE).inc()

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            self._made.close(0.5)


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
            self._letter(record, error.reason)
            return
        about = {"camera": alert.camera, "alert": alert.id}
        if written.missed:
            log.warning("%s %s: no picture: %s", alert.camera, alert.id, written.missed, extra=about)
        elif written.pictures:
            log.info("%s %s: %s", alert.camera, alert.id, written.folder / paths.SNAPSHOT, extra=about)

    def _letter(self, record: Record, reason: str) -> None:
        while not self._stop.is_set():
            try:
                return self._letters.send(record, reason)
            except BusError as error:
                log.warning("dead letter not taken, again: %s", error)
                self._stop.wait(0.5)
        raise Stopped("while writing a dead letter")

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
