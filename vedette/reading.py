"""Reading a topic without a group: all partitions, from its beginning or from now on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from kafka import KafkaConsumer, TopicPartition

from contracts.errors import VedetteError


def open_topic(bootstrap: str, topic: str, start: Literal["beginning", "end"]) -> KafkaConsumer:
    """A consumer at the start of every partition; raises VedetteError where the broker has no such topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, reconnect_backoff_max_ms=1000)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    if not partitions:
        consumer.close()
        raise VedetteError(f"the broker has no topic {topic!r}")
    consumer.assign(partitions)
    if start == "beginning":
        consumer.seek_to_beginning(*partitions)
    else:
        consumer.seek_to_end(*partitions)
    return consumer


def values_now(bootstrap: str, topic: str) -> Iterator[bytes | None]:
    """Every record's value that the topic holds at this moment."""
    consumer = open_topic(bootstrap, topic, "beginning")
    try:
        ends = consumer.end_offsets(list(consumer.assignment()))
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(timeout_ms=500).values():
                yield from (record.value for record in records)
    finally:
        consumer.close()
