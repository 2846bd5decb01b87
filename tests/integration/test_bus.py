"""The client with the real broker: what is written stands there in order, what isn't is said, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from bus import consuming, producer
from bus.admin import create_topics
from bus.errors import BusError, GoneError, NoTopicError, RefusedError, WrongClockError
from bus.follower import Follower
from bus.group import GroupReader
from bus.lookup import Lookup
from bus.producer import Acked, KafkaLink
from bus.reader import Reader
from contracts import topics
from contracts.topics import MAX_MESSAGE_BYTES, TopicSpec, specs
from tests.kafka_tools import Writer
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

SITE = "bus"
NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own, as tests stop it."""
    with Broker(BrokerConfig(tmp_path_factory.mktemp("broker"), heap_mb=256)) as started:
        create_topics(started.bootstrap, specs(SITE, 2))
        yield started


class Writing:
    """A link and what it reported."""

    def __init__(self, bootstrap: str) -> None:
        self.link = KafkaLink(bootstrap)
        self.results: dict[bytes, Acked | BusError] = {}

    def send(self, *values: bytes, topic: str = topics.frames(SITE), at_ms: int | None = None) -> None:
        for value in values:

            def report(result: Acked | BusError, value: bytes = value) -> None:
                self.results[value] = result

            self.link.send(
                topic, "gate", value, partition=0, timestamp_ms=at_ms or now_ms(), acked=report, failed=report
            )

    def reported(self, count: int, timeout_s: float = 10) -> list[Acked | BusError]:
        wait_until(lambda: len(self.results) >= count, timeout_s, f"{count} reports")
        return list(self.results.values())


@pytest.fixture
def writing(broker: Broker) -> Iterator[Writing]:
    made = Writing(broker.bootstrap)
    yield made
    made.link.close(0.0)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def numbers(count: int) -> list[bytes]:
    return [b"%03d" % index for index in range(count)]


def test_records_stand_in_order_with_their_time(writing: Writing) -> None:
    assert writing.link.partitions(topics.frames(SITE)) == 2
    writing.send(*numbers(200), at_ms=1_700_000_000_000)
    places = writing.reported(200)
    assert list(writing.results) == numbers(200)
    assert [at.offset for at in places] == list(range(places[0].offset, places[0].offset + 200))  # type: ignore[union-attr]
    assert {at.timestamp_ms for at in places} == {1_700_000_000_000}  # type: ignore[union-attr]


def test_a_status_is_acknowledged_with_the_broker_s_clock(writing: Writing) -> None:
    before = now_ms()
    writing.send(b"status", topic=topics.EDGE_STATUS, at_ms=before - 3_000_000)
    (at,) = writing.reported(1)
    assert isinstance(at, Acked)
    assert before <= at.timestamp_ms <= now_ms()


def test_a_refused_record_is_not_written_and_later_ones_are(writing: Writing) -> None:
    writing.send(b"first")
    writing.reported(1)  # else they are one batch
    writing.send(b"ahead", at_ms=now_ms() + 3 * topics.HOUR_MS)
    writing.reported(2)
    with pytest.raises(RefusedError):
        writing.send(b"x" * (MAX_MESSAGE_BYTES + 1))
    writing.send(b"last")
    first, ahead, last = writing.reported(3)
    assert isinstance(ahead, WrongClockError)
    assert isinstance(first, Acked)
    assert isinstance(last, Acked)
    assert last.offset == first.offset + 1


def test_what_was_in_one_batch_with_a_wrong_clock_is_refused_for_the_same_reason(
    broker: Broker, writing: Writing
) -> None:
    """And not as a fault of the connection: they can't be sent again behind those that follow."""
    writing.send(b"first")
    writing.reported(1)
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)  # so that a batch fills
    try:
        writing.send(*numbers(10))
        writing.send(b"ahead", b"ahead too", at_ms=now_ms() + 3 * topics.HOUR_MS)
        time.sleep(0.5)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    writing.reported(13)
    refused = [value for value, result in writing.results.items() if isinstance(result, WrongClockError)]
    assert {b"ahead", b"ahead too"} <= set(refused)
    assert not [result for result in writing.results.values() if type(result) is BusError]


def test_what_is_not_there_is_said(writing: Writing) -> None:
    with pytest.raises(NoTopicError, match="no topic 'misspelt'"):
        writing.link.partitions("misspelt")
    with pytest.raises(BusError, match="partition"):
        writing.link.send(
            topics.frames(SITE), "gate", b"", partition=7, timestamp_ms=now_ms(), acked=print, failed=print
        )
    with pytest.raises(BusError, match="Connection refused"):
        KafkaLink(NOBODY)


@pytest.mark.parametrize("connect", [KafkaLink, lambda bootstrap: Reader(bootstrap, "alerts")], ids=["link", "reader"])
def test_failed_attempts_leave_nothing_open(connect: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (producer, consuming):
        monkeypatch.setattr(module, "CONNECT_S", 0.02)
    process = psutil.Process()

    def held() -> int:
        return process.num_fds() + process.num_threads()

    before = held()
    for _ in range(200):
        with contextlib.suppress(BusError):
            connect(NOBODY)
    wait_until(lambda: held() <= before + 3, 10, "files and threads are given back")


def test_the_producer_s_own_thread_survives_a_callback_that_fails(
    writing: Writing, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise ValueError("on purpose")

    writing.link.send(topics.DEAD_LETTERS, "k", b"v", partition=0, timestamp_ms=now_ms(), acked=fails, failed=fails)
    wait_until(lambda: "on purpose" in caplog.text, 10, "the failure is logged")
    writing.send(b"next")
    writing.reported(1)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_it_closes_in_time_while_the_broker_is_away(broker: Broker, how: str) -> None:
    """What was not acknowledged is reported as failed."""
    assert broker.pid is not None
    writing = Writing(broker.bootstrap)
    writing.send(b"there")
    writing.reported(1)
    if how == "killed":
        broker.kill()
    else:
        os.kill(broker.pid, signal.SIGSTOP)
    try:
        writing.send(*numbers(5))
        began = time.monotonic()
        writing.link.close(0.3)
        assert 0.2 < time.monotonic() - began < 1
        assert all(isinstance(result, BusError) for result in writing.reported(6)[1:])
        writing.link._thread.join(5)
        assert not writing.link._thread.is_alive()
        with pytest.raises(BusError):
            writing.send(b"closed")
    finally:
        if how == "killed":
            broker.start()
        else:
            os.kill(broker.pid, signal.SIGCONT)


def test_what_was_under_way_arrives_in_order_when_the_broker_is_back(broker: Broker, writing: Writing) -> None:
    writing.send(b"there")
    writing.reported(1)
    broker.kill()
    writing.send(*numbers(50))
    time.sleep(3)
    broker.start()
    places = writing.reported(51, 15)
    assert list(writing.results)[1:] == numbers(50)
    assert [at.offset for at in places] == list(range(places[0].offset, places[0].offset + 51))  # type: ignore[union-attr]


def new_topic(broker: Broker, name: str) -> str:
    create_topics(broker.bootstrap, [TopicSpec(name, 2)])
    return name


def test_a_reader_gives_what_the_topic_held_and_then_what_comes(broker: Broker) -> None:
    topic = new_topic(broker, "reader")
    with Writer(broker.bootstrap) as writer, Reader(broker.bootstrap, topic) as empty:
        assert list(empty.held()) == []
        for value in numbers(1000):
            writer.send(topic, value, "k", partition=0, at_ms=1_700_000_000_000)
        writer.send(topic, None, b"gone", partition=1)
        writer.flush()
        with Reader(broker.bootstrap, topic) as reader, Reader(broker.bootstrap, topic, "end") as later:
            records = list(reader.held())
            assert [r.value for r in records if r.partition == 0] == numbers(1000)
            assert records[0][2:5] == (0, 1_700_000_000_000, b"k") or records[0].value is None
            assert [(r.key, r.value) for r in records if r.partition == 1] == [(b"gone", None)]
            writer.send(topic, b"new", partition=1)
            for one in (reader, later):
                assert [r.value for r in one.read(5)] == [b"new"]
        assert len(empty.read(5)) > 0
    with pytest.raises(NoTopicError, match="no topic 'misspelt'"):
        Reader(broker.bootstrap, "misspelt")


def test_a_reader_goes_on_when_the_broker_is_back(broker: Broker) -> None:
    topic = new_topic(broker, "back")
    with Reader(broker.bootstrap, topic) as reader:
        broker.kill()
        assert reader.read(0.5) == []
        broker.start()
        with Writer(broker.bootstrap) as writer:
            writer.send(topic, b"new")
        wait_until(lambda: [r.value for r in reader.read(0.5)] == [b"new"], 15, "the record")


def test_a_group_goes_on_behind_what_it_committed(broker: Broker) -> None:
    topic = new_topic(broker, "group")
    with Writer(broker.bootstrap) as writer:
        for value in numbers(10):
            writer.send(topic, value, partition=0)

    def read(count: int) -> list[bytes | None]:
        member = GroupReader(broker.bootstrap, [topic], "g")
        values: list[bytes | None] = []
        try:
            until_s = time.monotonic() + 20
            while len(values) < count and time.monotonic() < until_s:
                values += [record.value for record in member.read(0.25, 3)]
                if len(values) == 3:
                    member.commit()
        finally:
            member.close()
        return values

    assert read(6) == numbers(6)
    assert read(7) == numbers(10)[3:]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_member_leaves_in_time_while_the_broker_is_away(broker: Broker, how: str) -> None:
    topic = new_topic(broker, f"leaves-{how}")
    with Writer(broker.bootstrap) as writer:
        writer.send(topic, b"one")
    member = GroupReader(broker.bootstrap, [topic], "leaves")
    wait_until(lambda: len(member.read(0.25, 1)) == 1, 20, "the record")
    assert broker.pid is not None
    if how == "killed":
        broker.kill()
    else:
        os.kill(broker.pid, signal.SIGSTOP)
    try:
        member.commit()
        began = time.monotonic()
        member.close()
        assert time.monotonic() - began < 2
    finally:
        if how == "killed":
            broker.start()
        else:
            os.kill(broker.pid, signal.SIGCONT)


def test_single_records_are_found_by_their_place(broker: Broker) -> None:
    topic = new_topic(broker, "lookup")
    with Writer(broker.bootstrap) as writer:
        for value in numbers(20):
            writer.send(topic, value * 100_000, partition=0)
    lookup = Lookup(broker.bootstrap)
    assert lookup.bounds(topic, 0) == (0, 20)
    for offset in (7, 0, 19):
        found = lookup.record(topic, 0, offset, 5, lambda: False)
        assert found is not None
        assert (found.offset, found.value) == (offset, numbers(20)[offset] * 100_000)
    assert lookup.record(topic, 0, 20, 0.5, lambda: False) is None
    assert lookup.record(topic, 0, 20, 60, lambda: True) is None
    with pytest.raises(GoneError):
        lookup.record(topic, 0, 999, 5, lambda: False)
    for place in (("misspelt", 0), (topic, 9)):
        with pytest.raises(NoTopicError):
            lookup.bounds(*place)
    broker.kill()
    try:
        with pytest.raises(BusError) as error:
            lookup.bounds(topic, 0)
        assert not isinstance(error.value, NoTopicError)  # what is away is not what isn't there
    finally:
        lookup.close()
        broker.start()


def test_a_follower_has_what_a_topic_holds_before_it_goes_on_with_what_comes(broker: Broker) -> None:
    taken: list[bytes | None] = []

    def take(record: consuming.Record) -> None:
        taken.append(record.value)
        if record.value == b"bad":
            raise ValueError("this one is bad")

    with Writer(broker.bootstrap) as writer:
        for number in range(3):
            writer.put(topics.FACE_KEYS, b"%d" % number, f"bus/{number}")
        follower = Follower(broker.bootstrap, topics.FACE_KEYS, take)
        follower.start()
        assert taken == [b"0", b"1", b"2"]
        writer.put(topics.FACE_KEYS, b"bad", "bus/3")
        writer.put(topics.FACE_KEYS, b"4", "bus/4")
        wait_until(lambda: len(taken) == 5, 10, "both")
    follower.stop()
