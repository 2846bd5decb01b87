"""Reading a part of one partition, from a time on, in order and with bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from bus.consuming import Record, asking, bounds, close, consumer, partitions, record_of, take
from bus.errors import BusError, NoTopicError, bus_error
from bus.settings import CONNECT_S, Aside

POLL_S = 0.25
BATCH = 16
QUEUED_KB = 16 * 1024
"""What librdkafka holds ahead of the reader: two of the largest messages."""


class Start(NamedTuple):
    """Where a part begins: its first offset, and whether the log begins there (what was before is deleted)."""

    offset: int
    end: int
    cut: bool


class Span:
    """A connection for reading parts. Connects on the first use; for one thread at a time."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap, self._aside = bootstrap, Aside()
        self._made: Consumer | None = None

    def start(self, topic: str, partition: int, since_ms: int) -> Start:
        """The first record with a timestamp of `since_ms` or later; raises NoTopicError or BusError."""
        made = self._consumer()
        with asking(made, self._aside):
            if partition not in partitions(made, topic):
                raise NoTopicError(f"there is no {topic}[{partition}]")
            first, end = bounds(made, topic, partition)
            (found,) = made.offsets_for_times([TopicPartition(topic, partition, since_ms)], timeout=CONNECT_S)
            if found.error is not None:
                raise bus_error(found.error)
        offset = found.offset if found.offset >= 0 else end  # below zero: nothing so late yet
        return Start(max(offset, first), end, first > 0 and offset <= first)

    def records(
        self, topic: str, partition: int, start: Start, timeout_s: float, stopped: Callable[[], bool]
    ) -> Iterator[Record]:
        """Records from the start to the end that the partition had then.

        Raises GoneError where they are deleted meanwhile, BusError when nothing comes for `timeout_s`. Ends early when
        `stopped`.
        """
        if start.offset >= start.end:
            return
        made = self._consumer()
        made.assign([TopicPartition(topic, partition, start.offset)])
        try:
            until_s = time.monotonic() + timeout_s
            while not stopped():
                for message in take(made, POLL_S, BATCH):
                    error = message.error()
                    if error is not None:
                        raise bus_error(error)
                    record = record_of(message)
                    if record.offset >= start.end:
                        return
                    yield record
                    if record.offset == start.end - 1:
                        return
                    until_s = time.monotonic() + timeout_s
                if time.monotonic() >= until_s:
                    raise BusError(f"{topic}[{partition}]: nothing came for {timeout_s:g} s")
        finally:
            made.unassign()

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            close(self._made)
            self._made = None

    def _consumer(self) -> Consumer:
        if self._made is None:
            more = {"auto.offset.reset": "error", "queued.max.messages.kbytes": QUEUED_KB, "fetch.wait.max.ms": 100}
            self._made = consumer(self._bootstrap, self._aside, more)
        return self._made
