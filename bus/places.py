"""Reading topics without a group, from places that the reader keeps itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from bus.consuming import Record, close, consumer, record_of, take
from bus.errors import NoTopicError, bus_error
from bus.settings import CONNECT_S, Aside

REFRESH_S = 10.0
"""How often it looks for partitions that the topics got since."""

Places = Mapping[tuple[str, int], int]
"""(topic, partition) → the next offset to read; what is missing is read from its beginning."""


class PlacedReader:
    """Every partition of some topics. The constructor blocks until connected; raises BusError or NoTopicError.

    `places` are those of `cluster`: where another one answers, all is read from its beginning. A broker that goes away
    later is waited for. For one thread at a time.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], cluster: str, places: Places) -> None:
        self._topics, self._places = tuple(topics), dict(places)
        self._read: set[tuple[str, int]] = set()
        self._behind: set[tuple[str, int]] = set()
        self._refresh_s = 0.0
        self._aside = Aside()
        self._consumer = consumer(
            bootstrap,
            self._aside,
            # 8 MB of what was fetched ahead: the default is 64.
            {"auto.offset.reset": "earliest", "enable.partition.eof": True, "queued.max.messages.kbytes": 8192},
        )
        try:
            self.cluster = self._assign()
            if self.cluster != cluster:
                for known in (self._places, self._read, self._behind):
                    known.clear()
                self._consumer.unassign()
                self._assign()
        except KafkaException as error:
            close(self._consumer)
            raise bus_error(error, reason=self._aside.text) from error
        except BaseException:
            close(self._consumer)
            raise

    def read(self, timeout_s: float, count: int) -> list[Record]:
        """At most `count` records, waiting at most so long for the first; raises BusError."""
        if time.monotonic() >= self._refresh_s:
            try:
                self._assign()
            except (KafkaException, NoTopicError):  # away: it is waited for, and looked at again
                self._refresh_s = time.monotonic() + REFRESH_S
        records = []
        for message in take(self._consumer, timeout_s, count):
            error = message.error()
            if error is None:
                records.append(record_of(message))
                self._behind.add((records[-1].topic, records[-1].partition))
            elif error.code() != KafkaError._PARTITION_EOF:
                raise bus_error(error)
            else:
                self._behind.discard((str(message.topic()), message.partition() or 0))
        return records

    @property
    def caught_up(self) -> bool:
        """Whether all that the topics held a moment ago has been read."""
        return not self._behind

    def close(self) -> None:
        """Give the connection up."""
        close(self._consumer)

    def _assign(self) -> str:
        """Begin to read the partitions that are not read yet; returns the cluster's id."""
        found = self._consumer.list_topics(timeout=CONNECT_S)
        missing = [name for name in self._topics if name not in found.topics or not found.topics[name].partitions]
        if missing:
            raise NoTopicError(f"the broker has no topic {', '.join(missing)}")
        there = {(name, number) for name in self._topics for number in found.topics[name].partitions}
        new = sorted(there - self._read)
        if new:
            places = [self._places.get(one, OFFSET_BEGINNING) for one in new]
            parts = [TopicPartition(*one, place) for one, place in zip(new, places, strict=True)]
            self._consumer.incremental_assign(parts)
            self._read |= set(new)
            self._behind |= set(new)
        self._refresh_s = time.monotonic() + REFRESH_S
        return str(found.cluster_id or "")
