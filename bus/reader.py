"""Reading a whole topic without a group: all partitions, from the beginning or from now on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import Consumer, KafkaError, TopicPartition

from bus.consuming import Record, asking, bounds, close, consumer, partitions, record_of, take
from bus.errors import BusError, bus_error
from bus.settings import CONNECT_S, Aside

BATCH = 500
"""Records that one `read` gives at most."""

STALL_S = 30.0
"""`held` gives up when nothing came for so long: the broker went away meanwhile."""


class Reader:
    """A place in every partition of `topic`, connected: the constructor blocks, and raises BusError or NoTopicError.

    A broker that goes away later is waited for: `read` gives nothing until it is back. For one thread at a time.
    """

    def __init__(self, bootstrap: str, topic: str, start: Literal["beginning", "end"] | int = "beginning") -> None:
        """`start` as a number is a time, ms since the epoch: the first record of then or later."""
        self._topic, self._aside = topic, Aside()
        self._consumer = consumer(
            bootstrap, self._aside, {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        )
        try:
            with asking(self._consumer, self._aside):
                places = {number: bounds(self._consumer, topic, number) for number in partitions(self._consumer, topic)}
        except BusError:
            close(self._consumer)
            raise
        self._ends = {number: end for number, (_, end) in places.items()}
        if isinstance(start, int):
            with asking(self._consumer, self._aside):
                self._next = {n: _since(self._consumer, topic, n, start, end) for n, (_, end) in places.items()}
        else:
            self._next = {number: first if start == "beginning" else end for number, (first, end) in places.items()}
        self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in self._next.items()])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, timeout_s: float) -> list[Record]:
        """What came, in order within a partition, waiting at most so long for the first; raises BusError."""
        records = []
        for message in take(self._consumer, timeout_s, BATCH):
            error, number, offset = message.error(), message.partition(), message.offset()
            if error is None:
                records.append(record_of(message))
                self._next[records[-1].partition] = records[-1].offset + 1
            elif error.code() != KafkaError._PARTITION_EOF:
                raise bus_error(error)
            elif number is not None and offset is not None:
                self._next[number] = offset  # compaction may have left no record before it
        return records

    def held(self) -> Iterator[Record]:
        """What the topic held when this was made, and maybe some that came since; raises BusError."""
        moved_s = time.monotonic()
        while open_ := [number for number, end in self._ends.items() if self._next[number] < end]:
            records = self.read(0.5)
            if records:
                moved_s = time.monotonic()
            elif time.monotonic() - moved_s > STALL_S:
                raise BusError(f"{self._topic}: nothing came for {STALL_S:g} s, and partitions {open_} are not through")
            yield from records

    def close(self) -> None:
        """Give the connection up."""
        close(self._consumer)


def _since(made: Consumer, topic: str, number: int, at_ms: int, end: int) -> int:
    """The offset of the partition's first record of that time or later, `end` where there is none."""
    (found,) = made.offsets_for_times([TopicPartition(topic, number, at_ms)], timeout=CONNECT_S)
    return found.offset if found.offset >= 0 else end
