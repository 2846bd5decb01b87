"""Alerts from the topic into the store, with the places in the same transaction: a kill loses and doubles nothing."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from bus.presence import wait_for_topics
from bus.settings import CONNECT_S, Aside, settings
from console.hub import Hub
from console.store.alerts import unfit
from console.store.store import Store
from console.worker import Worker
from contracts import metrics, topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.fields import QUESTION
from contracts.messages import Alert, DeadLetter
from contracts.metrics import Metrics
from contracts.trace import Span, child, exemplar
from telemetry import Tracer

log = logging.getLogger(__name__)

SOURCE = "console"
BATCH = 500
POLL_S = 0.25
REFRESH_S = 5.0
"""How often it asks the broker whether it is there, and for partitions that the topic got since."""
RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
MAX_PAYLOAD = 64 * 1024


class Record(NamedTuple):
    """What was read from one place of the topic."""

    topic: str
    partition: int
    offset: int
    value: bytes


class AlertConsumer(Worker):
    """One thread that reads `alerts` from where the store says that it is. `take` is its work without the broker."""

    def __init__(
        self,
        bootstrap: str,
        store: Store,
        hub: Hub,
        measured: Metrics,
        clock_ms: Callable[[], int],
        wake_outbox: Callable[[], None],
        tracer: Tracer,
    ) -> None:
        super().__init__("alerts")
        self._bootstrap = bootstrap
        self._store = store
        self._hub = hub
        self._metrics = measured
        self._clock_ms = clock_ms
        self._wake_outbox = wake_outbox
        self._tracer = tracer
        self.alive_at_ms = 0
        """When the broker last gave it an answer."""

    def take(self, cluster: str, records: Sequence[Record]) -> None:
        """Keep records' alerts, or what is wrong with them, and the places behind them; tell the hub."""
        try:
            self._keep(cluster, records)
        except (DataError, IntegrityError) as error:  # any other (away, full, locked) is no record's fault
            if len(records) == 1:
                self._keep(cluster, records, fault=f"the database refuses it: {error.orig}")
                return
            for record in records:
                self.take(cluster, [record])

    def _keep(self, cluster: str, records: Sequence[Record], fault: str = "") -> None:
        now_ms = self._clock_ms()
        alerts: list[Alert] = []
        letters: list[DeadLetter] = []
        for record in records:
            try:
                alerts.append(_read(record.value, fault))
            except ContractError as error:
                log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error.reason)
                letters.append(_letter(record, error.reason, now_ms))
        places = {(record.topic, record.partition): record.offset + 1 for record in records}
        changed = self._store.take(alerts, cluster, places, now_ms, letters)
        self._hub.publish(changed)
        for row in (one for one in changed if one.kind != QUESTION):
            self._metrics.counter(metrics.CONSOLE_ALERTS, row.severity, row.state).inc()
        for alert in alerts:
            if alert.decided_at_ms and not alert.late:
                seconds = max(0, now_ms - alert.decided_at_ms) / 1000
                self._metrics.histogram(metrics.ALERT_TO_CONSOLE).observe(seconds, exemplar(alert.traceparent))
            if alert.traceparent:
                own = child(alert.traceparent, "store")
                self._tracer.record(Span("store", own, alert.traceparent, alert.decided_at_ms, self._clock_ms()))
        if letters:
            self._metrics.counter(metrics.DEAD_LETTERS, SOURCE).inc(len(letters))
            self._wake_outbox()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if wait_for_topics(self._bootstrap, {topics.ALERTS}, self._stop):
                    self._read_all()
            except KafkaException as error:
                log.warning("alerts can't be read, again: %s", error)
                self._stop.wait(RETRY_S[2])
            except Exception:
                log.exception("reading alerts failed; it begins anew from its places")
                self._stop.wait(RETRY_S[-1])

    def _read_all(self) -> None:
        aside = Aside()
        consumer = Consumer(
            {
                **settings(self._bootstrap, aside),
                "group.id": "vedette-console",  # asked for by the library; nothing is ever committed to it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 500,
            }
        )
        try:
            cluster, assigned = "", 0
            refresh_s = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= refresh_s:
                    cluster, assigned = self._assign(consumer, assigned)
                    refresh_s = time.monotonic() + REFRESH_S
                    self.alive_at_ms = self._clock_ms()
                records = _batch(consumer)
                if records:
                    self._take_for_sure(cluster, records)
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer, assigned: int) -> tuple[str, int]:
        """Read every partition from its place on; returns the cluster's id and how many partitions there are."""
        found = consumer.list_topics(topics.ALERTS, timeout=CONNECT_S)
        partitions = sorted(found.topics[topics.ALERTS].partitions)
        cluster = str(found.cluster_id or "")
        if len(partitions) != assigned:
            places = self._store.offsets.of(cluster)
            consumer.assign(
                [
                    TopicPartition(topics.ALERTS, number, places.get((topics.ALERTS, number), OFFSET_BEGINNING))
                    for number in partitions
                ]
            )
        return cluster, len(partitions)

    def _take_for_sure(self, cluster: str, records: Sequence[Record]) -> None:
        """Keep them, however long the database is away; what was read is not read again meanwhile."""
        tries = 0
        while not self._stop.is_set():
            try:
                return self.take(cluster, records)
            except DBAPIError as error:
                wait_s = RETRY_S[min(tries, len(RETRY_S) - 1)]
                log.warning("the store takes nothing, again in %g s: %s", wait_s, error.orig)
                tries += 1
                self._stop.wait(wait_s)


def _batch(consumer: Consumer) -> list[Record]:
    """The next record as soon as there is one, and what has come with it."""
    first = consumer.poll(POLL_S)
    if first is None:
        return []
    return [record for one in (first, *consumer.consume(BATCH - 1, 0)) if (record := _record(one)) is not None]


def _record(message: Message) -> Record | None:
    error = message.error()
    if error is not None:
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED) or error.fatal():
            raise KafkaException(error)
        log.warning("alerts: %s", error.str())  # it goes on by itself
        return None
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    value = message.value()
    return Record(topic, partition, offset, value.encode() if isinstance(value, str) else value or b"")


def _read(value: bytes, fault: str) -> Alert:
    """The alert; raises ContractError for what is none, or none that can be kept."""
    alert = decode(value, Alert)
    reason = fault or unfit(alert)
    if reason:
        raise ContractError(reason)
    return alert


def _letter(record: Record, reason: str, now_ms: int) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        source=SOURCE,
        reason=reason[:4000],
        sha256=hashlib.sha256(record.value).hexdigest(),
        size=len(record.value),
        payload=record.value[:MAX_PAYLOAD],
        at_ms=now_ms,
    )
