"""The consumer's and the outbox's work without a broker: what is one record's fault, and what is sent again."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from sqlalchemy import text

from bus.errors import BusError, RefusedError
from bus.producer import Acked
from console.consumer import AlertConsumer, Record
from console.hub import Hub
from console.outbox import Outbox
from console.store.rows import Filter
from console.store.store import Store
from contracts.codec import decode, encode
from contracts.messages import DeadLetter
from contracts.metrics import Metrics
from contracts.trace import Span, child, first
from telemetry import Tracer
from tests.console_tools import AT_MS, alert_of


def consumer(store: Store, metrics: Metrics | None = None, tracer: Tracer | None = None) -> AlertConsumer:
    measured = metrics or Metrics(CollectorRegistry())
    return AlertConsumer("127.0.0.1:1", store, Hub(), measured, lambda: AT_MS, lambda: None, tracer or Tracer())


def records(*values: bytes) -> list[Record]:
    return [Record("alerts", 0, offset, value) for offset, value in enumerate(values)]


def letters(store: Store) -> list[tuple[int, str]]:
    found = (decode(one.value, DeadLetter) for one in store.answers.unsent() if one.topic == "dead-letters")
    return [(one.offset, one.reason) for one in found]


def test_what_is_no_alert_becomes_a_letter_and_the_rest_is_kept(store: Store) -> None:
    consumer(store).take(
        "c", records(encode(alert_of(1)), b"nonsense", encode(alert_of(2)), encode(alert_of(3, id="")))
    )
    assert {row.id for row in store.alerts.page(Filter()).rows} == {"alert-1", "alert-2"}
    (first, why), (second, nameless) = letters(store)
    assert (first, second, nameless) == (1, 3, "id is empty")
    assert "no Alert" in why
    assert store.offsets.of("c") == {("alerts", 0): 4}


def test_a_traced_alert_is_followed_into_the_store_and_its_latency_leads_to_it(store: Store) -> None:
    alert, spans, metrics = first("home", "gate", 1, 1, AT_MS), [], Metrics(CollectorRegistry())
    traced = alert_of(1, traceparent=alert, decided_at_ms=AT_MS - 40)
    consumer(store, metrics, Tracer(spans.append)).take("c", records(encode(traced), encode(alert_of(2))))
    assert spans == [Span("store", child(alert, "store"), alert, AT_MS - 40, AT_MS)]
    assert f'trace_id="{alert[3:35]}"' in generate_latest(metrics.registry).decode()


def test_what_the_database_refuses_is_one_records_fault(store: Store) -> None:
    with store.database.write() as connection:
        for statement in refuse_sqlite() if store.database.is_sqlite else refuse_postgresql():
            connection.execute(text(statement))
    consumer(store).take("c", records(*(encode(alert_of(number)) for number in range(4))))
    assert {row.id for row in store.alerts.page(Filter()).rows} == {"alert-0", "alert-1", "alert-3"}
    ((offset, reason),) = letters(store)
    assert offset == 2
    assert "the database refuses it" in reason
    assert store.offsets.of("c") == {("alerts", 0): 4}


def refuse_sqlite() -> list[str]:
    return ["CREATE TRIGGER no BEFORE INSERT ON alerts WHEN new.id = 'alert-2' BEGIN SELECT RAISE(ABORT, 'no'); END"]


def refuse_postgresql() -> list[str]:
    return ["ALTER TABLE alerts ADD CONSTRAINT no CHECK (id <> 'alert-2')"]


class FakeLink:
    """Answers as it is told, from the caller's thread: by record, "ack", "fail" once, or "refuse"."""

    def __init__(self, plan: dict[str, str]) -> None:
        self.plan = plan
        self.written: list[str] = []

    def partitions(self, topic: str) -> int:
        return 1

    def send(
        self,
        topic: str,
        key: str,
        value: bytes,
        *,
        partition: int,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[BusError], None],
    ) -> None:
        match self.plan.get(key, "ack"):
            case "refuse":
                failed(RefusedError("too large"))
            case "fail":
                self.plan[key] = "ack"
                failed(BusError("timed out"))
            case _:
                self.written.append(key)
                acked(Acked(0, len(self.written), timestamp_ms))

    def close(self, timeout_s: float) -> None:
        """Nothing is held."""


def test_the_outbox_sends_until_it_is_acknowledged_and_gives_up_only_what_is_refused(store: Store) -> None:
    link, connections = FakeLink({"b": "fail", "c": "refuse"}), []

    def connect(bootstrap: str) -> FakeLink:
        connections.append(bootstrap)
        if len(connections) == 1:
            raise BusError("away")
        return link

    with store.database.write() as connection:
        for key in "abcd":
            store.answers.send(connection, "feedback", key, key.encode())
    outbox = Outbox("b:1", store, lambda: AT_MS, connect)
    outbox.start()
    until_s = time.monotonic() + 20
    while store.answers.unsent_count() and time.monotonic() < until_s:
        time.sleep(0.05)
    outbox.stop()
    assert store.answers.unsent() == []
    assert link.written == ["a", "d", "b"]
    assert len(connections) == 3  # away, then the one where b failed, then again
