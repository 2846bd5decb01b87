"""Reading topics as a member of a group, which remembers how far it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from bus.consuming import Record, asking, close, consumer, record_of, take
from bus.errors import bus_error
from bus.settings import CONNECT_S, Aside

log = logging.getLogger(__name__)


class GroupReader:
    """Takes part in `group`, from the topics' beginning where it has no place yet.

    The constructor blocks until connected, and raises BusError. A broker that goes away later is waited for.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], group: str) -> None:
        self._aside = Aside()
        self._consumer = consumer(
            bootstrap,
            self._aside,
            {
                "group.id": group,
                "auto.offset.reset": "earliest",
                # The broker's least: after a kill -9 the next member waits so long for its share.
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 2000,
                "on_commit": _committed,
            },
        )
        try:
            with asking(self._consumer, self._aside):
                self._consumer.list_topics(topics[0], timeout=CONNECT_S)
        except BaseException:
            close(self._consumer)
            raise
        self._next: dict[tuple[str, int], int] = {}
        self._consumer.subscribe(list(topics))

    def read(self, timeout_s: float, count: int) -> list[Record]:
        """At most `count` records, waiting at most so long for the first; raises BusError."""
        messages = take(self._consumer, timeout_s, count)
        for message in messages:
            error = message.error()
            if error is not None:
                raise bus_error(error)
        records = [record_of(message) for message in messages]
        for record in records:
            self._next[record.topic, record.partition] = record.offset + 1
        return records

    def commit(self) -> None:
        """What was read so far is done. Doesn't wait: a commit that fails is logged, and its records come again."""
        # Named one by one: what librdkafka notes itself may be ahead by the time that it looks, by records that were
        # read and not worked off.
        places = [TopicPartition(topic, number, offset) for (topic, number), offset in self._next.items()]
        self._next.clear()
        if not places:
            return
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            log.warning("offsets not committed: %s", bus_error(error))

    def close(self) -> None:
        """Leave the group."""
        close(self._consumer)


def _committed(error: KafkaError | None, _: list[TopicPartition]) -> None:
    if error is not None:
        log.warning("offsets not committed: %s", error.str())
