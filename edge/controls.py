"""Follows `edge-controls`: rates, thresholds and masks that are changed while the agent runs."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from contracts import metrics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Budget, DeadLetter, EdgeControl, Masks
from contracts.metrics import Metrics
from contracts.topics import EDGE_CONTROLS

log = logging.getLogger(__name__)

SOURCE = "edge"
MAX_DEAD_LETTER_BYTES = 64 * 1024
RETRY_S = 1.0


class ControlFollower:
    """Reads the topic from its beginning (it is compacted: the last word on each camera stands in it) and goes on."""

    def __init__(
        self,
        *,
        site: str,
        bootstrap: str,
        apply: Callable[[Budget | Masks], None],
        dead_letter: Callable[[DeadLetter], None],
        now_ms: Callable[[], int],
        made: Metrics,
    ) -> None:
        self._site, self._bootstrap, self._apply = site, bootstrap, apply
        self._dead_letter, self._now_ms, self._metrics = dead_letter, now_ms, made
        self._stop = threading.Event()
        self._offset = 0
        self._thread = threading.Thread(target=self._run, name="controls", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def handle(self, value: bytes | None, partition: int, offset: int) -> None:
        """Apply one record; what can't be understood or makes no sense becomes a dead letter."""
        if value is None:
            return
        try:
            control = decode(value, EdgeControl)
            if control.site == self._site:
                self._apply(control.change)
        except (ContractError, ValueError) as error:
            self._metrics.counter(metrics.DEAD_LETTERS, SOURCE).inc()
            log.warning("a control was refused", extra={"offset": offset, "error": str(error)})
            self._dead_letter(self._letter(value, partition, offset, str(error)))

    def _letter(self, value: bytes, partition: int, offset: int, reason: str) -> DeadLetter:
        return DeadLetter(
            topic=EDGE_CONTROLS,
            partition=partition,
            offset=offset,
            source=SOURCE,
            reason=reason,
            sha256=hashlib.sha256(value).hexdigest(),
            size=len(value),
            payload=value[:MAX_DEAD_LETTER_BYTES],
            at_ms=self._now_ms(),
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (KafkaError, AssertionError, ValueError) as error:
                log.info("edge-controls can't be read", extra={"error": str(error)})
                self._stop.wait(RETRY_S)

    def _follow(self) -> None:
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            bootstrap_timeout_ms=3000,
            reconnect_backoff_max_ms=1000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            partitions = [TopicPartition(EDGE_CONTROLS, number) for number in range(1)]
            consumer.assign(partitions)
            consumer.seek(partitions[0], self._offset) if self._offset else consumer.seek_to_beginning()
            while not self._stop.is_set():
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        self.handle(record.value, record.partition, record.offset)
                        self._offset = record.offset + 1
        finally:
            consumer.close()
