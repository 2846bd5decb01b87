"""What a service of the archive can't handle goes to the dead letters, with the reason."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable

from bus.consuming import Record
from bus.errors import BusError
from bus.producer import KafkaLink, deliver
from contracts import metrics, topics
from contracts.codec import encode
from contracts.messages import DeadLetter
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

MAX_PAYLOAD = 64 * 1024
LETTER_S = 2.0
RETRY_S = 0.5

Clock = Callable[[], int]
"""Milliseconds since the epoch."""


class Letters:
    """Puts what `source` can't handle on `dead-letters`. Connects on the first one."""

    def __init__(self, bootstrap: str, source: str, measured: Metrics, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._source = source
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
            source=self._source,
            reason=reason[:4000],
            sha256=hashlib.sha256(value).hexdigest(),
            size=len(value),
            payload=value[:MAX_PAYLOAD],
            at_ms=self._clock(),
        )
        if self._made is None:
            self._made = KafkaLink(self._bootstrap)
        deliver(self._made, topics.DEAD_LETTERS, record.topic, encode(letter), letter.at_ms, LETTER_S)
        self._metrics.counter(metrics.DEAD_LETTERS, self._source).inc()

    def send_for_sure(self, record: Record, reason: str, stop: threading.Event) -> bool:
        """Write one, however long the broker is away; False when `stop` was set before."""
        while not stop.is_set():
            try:
                self.send(record, reason)
                return True
            except BusError as error:
                log.warning("dead letter not taken, again: %s", error)
                stop.wait(RETRY_S)
        return False

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            self._made.close(0.5)
