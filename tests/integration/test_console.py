"""The console as a process beside a real broker: killed while alerts flow, and fed with what is no alert."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from bus.admin import create_topics
from console.store.rows import Filter
from console.store.store import Store
from contracts import topics
from contracts.codec import decode, encode
from contracts.messages import DeadLetter, Feedback
from tests.console_process import ConsoleProcess
from tests.console_tools import alert_of
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

PATIENCE_S = 120.0
KILLS = 20
FLOOD = 25
"""Alerts between two kills, 20 ms apart: some come before, some while nobody reads them."""
pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own: the topic of alerts is one for all sites."""
    with Broker(BrokerConfig(tmp_path_factory.mktemp("kafka"), heap_mb=256)) as broker:
        create_topics(broker.bootstrap, topics.specs("home", 2))
        yield broker


def everything(bootstrap: str, topic: str) -> list[bytes]:
    """All that a topic holds now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    found = consumer.list_topics(topic, timeout=10).topics[topic]
    values: list[bytes] = []
    for number in found.partitions:
        place = TopicPartition(topic, number, 0)
        end = consumer.get_watermark_offsets(place, timeout=10)[1]
        consumer.assign([place])
        while consumer.position([place])[0].offset < end and end:
            values += [one.value() for one in consumer.consume(500, 0.2) if one.error() is None]
    consumer.close()
    return values


class Operator(threading.Thread):
    """Answers every open alert, and asks again with the same id until there is a reply."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(name="operator", daemon=True)
        self.client = client
        self.given: dict[str, str] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        """Until stopped."""
        while not self.stop.is_set():
            for row in self.asked("GET", "/api/alerts?status=open&limit=20").json()["alerts"]:
                answer_id = str(uuid.uuid4())
                body = {"id": answer_id, "answer": {"action": "verdict", "verdict": "false"}}
                reply = self.asked("POST", f"/api/alerts/{row['id']}/answers", body)
                assert reply.status_code == 200, reply.text
                self.given[answer_id] = row["id"]

    def asked(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The reply, however often the console dies meanwhile."""
        while True:
            try:
                return self.client.request(method, path, json=body)
            except httpx.HTTPError:
                time.sleep(0.02)


@pytest.fixture
def console(broker: Broker, tmp_path: Path) -> Iterator[ConsoleProcess]:
    """A console that runs, and is ended at last."""
    console = ConsoleProcess(tmp_path, broker.bootstrap)
    try:
        console.start()
        yield console
    finally:
        console.stop()


@pytest.mark.timeout(1500)
def test_killed_while_alerts_flow_every_alert_and_answer_is_there_once(broker: Broker, console: ConsoleProcess) -> None:
    operator = Operator(console.administrator())
    operator.start()
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    chance, sent = random.Random(3), 0
    for _ in range(KILLS):
        killed_at = chance.randrange(FLOOD)
        for number in range(FLOOD):
            camera = ("gate", "hall")[sent % 2]
            for revision, state in ((0, "new"), (1, "end")):
                alert = alert_of(sent, camera=camera, revision=revision, state=state)
                producer.produce(topics.ALERTS, encode(alert), camera)
            producer.poll(0)
            sent += 1
            time.sleep(0.02)
            if number == killed_at:
                console.kill()
        console.start()
    producer.flush(10)
    store = Store(f"sqlite:///{console.state}/console.db")
    wait_until(
        lambda: operator.asked("GET", "/api/alerts/counts").json()["open"]["high"] == 0 and taken(store) == 2 * sent,
        PATIENCE_S,
    )
    operator.stop.set()
    operator.join(10)
    operator.client.close()
    wait_until(lambda: store.answers.unsent_count() == 0, PATIENCE_S)
    assert console.stop() == 0, console.log

    ids = [row.id for row in rows(store)]
    assert Counter(ids) == Counter(f"alert-{number}" for number in range(sent))
    assert all(row.revision == 1 and row.state == "end" and row.verdict == "false" for row in rows(store))
    kept = {said.id: said.alert for one in ids for said in store.answers.of(one)}
    assert kept == operator.given
    assert len(kept) == sent
    told = {
        said.id: said.alert
        for said in (decode(value, Feedback) for value in everything(broker.bootstrap, topics.FEEDBACK))
    }
    assert told == operator.given
    assert store.audit.broken() is None
    store.close()


def rows(store: Store) -> list:
    """All alerts."""
    found, after = [], None
    while True:
        page = store.alerts.page(Filter(), after, 500)
        found += page.rows
        after = page.next
        if after is None:
            return found


def taken(store: Store) -> int:
    """How many records the store says were read."""
    with store.database.read() as connection:
        from sqlalchemy import text

        return int(connection.execute(text("SELECT coalesce(sum(next), 0) FROM offsets")).scalar_one())


def test_what_is_no_alert_is_counted_and_becomes_a_dead_letter(broker: Broker, console: ConsoleProcess) -> None:
    client = console.administrator()
    before = len([one for one in letters(broker) if one.source == "console"])
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    good = encode(alert_of(900_000, id="good-one"))
    bad = malformed(good)
    assert len(bad) == 500
    for value in bad:
        producer.produce(topics.ALERTS, value, "gate")
    producer.produce(topics.ALERTS, good, "gate")
    producer.flush(10)
    wait_until(lambda: client.get("/api/alerts/good-one").status_code == 200, PATIENCE_S)
    wait_until(lambda: len([one for one in letters(broker) if one.source == "console"]) == before + 500, PATIENCE_S)
    metrics = client.get("/metrics").text
    assert 'vedette_dead_letters_total{source="console"} 500.0' in metrics
    shown = client.get("/api/alerts", params={"since_ms": 1, "limit": 500, "text": "malformed"}).json()["alerts"]
    assert shown == []
    assert client.get("/api/alerts", params={"zone": "nowhere-else"}).json()["alerts"] == []
    assert client.get("/readyz").json() == {"ready": True, "database": True, "alerts": True}
    client.close()
    assert console.stop() == 0, console.log


def letters(broker: Broker) -> list[DeadLetter]:
    return [decode(value, DeadLetter) for value in everything(broker.bootstrap, topics.DEAD_LETTERS)]


def malformed(good: bytes) -> list[bytes]:
    """500 values that are no alert, or none that can be kept."""
    chance = random.Random(11)
    wrong = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        good[:-1],
        good + b"x",
        good.replace(b"high", b"loud"),
    ]
    wrong += [
        encode(alert_of(1, id="")).replace(b'"id":""', b'"id":7'),
        encode(alert_of(1, id="x" * 300, why="malformed")),
        encode(alert_of(1, id="zero\0", why="malformed")),
        encode(alert_of(1, id="m1", revision=2**40, why="malformed")),
        encode(alert_of(1, id="m2", revision=-1, why="malformed")),
        encode(alert_of(1, id="m3", rule="r" * 5000, why="malformed")),
        encode(alert_of(1, id="m4", zone="nowhere-else\0")),
        encode(alert_of(1, id="m5")).replace(b'"started_at_ms":', b'"started_at_ms":-'),
        encode(alert_of(1, id="m6")).replace(b'"v":1', b'"v":99'),
        encode(alert_of(1, id="m7", why="malformed")).replace(b'"why":"malformed"', b'"why":"\\ud800"'),
    ]
    while len(wrong) < 500:
        cut = bytearray(good)
        del cut[chance.randrange(1, len(good) - 1) :]
        wrong.append(bytes(cut))
    return wrong
