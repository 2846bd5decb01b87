"""Fetching single records by their place."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from bus.consuming import Record, asking, bounds, close, consumer, partitions, record_of, take
from bus.errors import NoTopicError, bus_error
from bus.settings import Aside

POLL_S = 0.25
"""How long one wait lasts: short, so that a stop is heard while the broker is silent."""


class Lookup:
    """A connection for fetching. Connects on the first use; for one thread at a time."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap, self._aside = bootstrap, Aside()
        self._made: Consumer | None = None

    def partitions(self, topic: str) -> list[int]:
        """The numbers of the topic's partitions; raises NoTopicError or BusError."""
        made = self._consumer()
        with asking(made, self._aside):
            return partitions(made, topic)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The partition's first offset and the one after its last; raises NoTopicError, or BusError in 3 s."""
        made = self._consumer()
        with asking(made, self._aside):
            # Of a broker that is away librdkafka says that the partition is unknown.
            if partition not in partitions(made, topic):
                raise NoTopicError(f"there is no {topic}[{partition}]")
            return bounds(made, topic, partition)

    def record(
        self, topic: str, partition: int, offset: int, timeout_s: float, stopped: Callable[[], bool]
    ) -> Record | None:
        """The first record at or after `offset`; None when none came in time or `stopped`.

        Raises GoneError when it is deleted already, or BusError.
        """
        made = self._consumer()
        made.assign([TopicPartition(topic, partition, offset)])
        until_s = time.monotonic() + timeout_s
        try:
            while time.monotonic() < until_s and not stopped():
                for message in take(made, POLL_S, 1):
                    error = message.error()
                    if error is not None:
                        raise bus_error(error)
                    return record_of(message)
            return None
        finally:
            made.unassign()  # else it would go on reading what nobody asked for

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            close(self._made)
            self._made = None

    def _consumer(self) -> Consumer:
        if self._made is None:
            self._made = consumer(
                self._bootstrap,
                self._aside,
                # The broker gives a whole batch, however large; more than the one is not wanted.
                {"auto.offset.reset": "error", "max.partition.fetch.bytes": 1, "fetch.wait.max.ms": 100},
            )
        return self._made
