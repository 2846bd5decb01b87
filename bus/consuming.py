"""What all ways of reading have in common."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bus.errors import NoTopicError, bus_error
from bus.settings import ANSWER_S, CONNECT_S, Aside, settings
from contracts.access import NO_GROUP

CLOSE_S = 1.0
"""Closing takes milliseconds; while a broker hangs, librdkafka may wait for its answer for ever."""

UNSETTLED = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
"""What a broker says that has just started and doesn't know yet what it has."""


class Record(NamedTuple):
    """One record of a topic; `timestamp_ms` is of the topic's kind."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def consumer(bootstrap: str, aside: Aside, more: dict[str, Any]) -> Consumer:
    """A consumer that commits nothing by itself; it connects in the background."""
    return Consumer({**settings(bootstrap, aside), "enable.auto.commit": False, "group.id": NO_GROUP, **more})


@contextlib.contextmanager
def asking(made: Consumer, aside: Aside) -> Iterator[None]:
    """The library's errors in the block as BusError, with what it has said aside. Not while partitions are assigned."""
    try:
        yield
    except KafkaException as error:
        made.poll(0)  # calls `aside`, and would take a record
        raise bus_error(error, reason=aside.text) from error


def partitions(made: Consumer, topic: str) -> list[int]:
    """The numbers of the topic's partitions; raises NoTopicError or KafkaException."""
    found = made.list_topics(topic, timeout=CONNECT_S).topics[topic]
    if found.error is not None or not found.partitions:
        raise NoTopicError(f"the broker has no topic {topic!r}")
    return sorted(found.partitions)


def bounds(made: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The partition's first offset and the one after its last, as the broker has them now; raises KafkaException."""
    until_s = time.monotonic() + ANSWER_S
    while True:
        try:
            return made.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() not in UNSETTLED or time.monotonic() > until_s:
                raise
        time.sleep(0.1)


def take(made: Consumer, timeout_s: float, count: int) -> list[Message]:
    """Up to `count` messages, waiting at most so long for the first; raises BusError."""
    try:
        first = made.poll(timeout_s)
        if first is None:
            return []
        return [first, *made.consume(count - 1, 0)] if count > 1 else [first]
    except KafkaException as error:
        raise bus_error(error) from error


def record_of(message: Message) -> Record:
    """A message that is no error as a record."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Record(topic, partition, offset, message.timestamp()[1], message.key(), message.value())


def close(made: Consumer) -> None:
    """End it; one that doesn't end in time is left to itself."""
    thread = threading.Thread(target=made.close, name="kafka-close", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
