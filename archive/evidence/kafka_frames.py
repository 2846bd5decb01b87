"""Fetches frames from the broker by their place."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, OffsetOutOfRangeError

from archive.evidence.frames import FrameMissed, Stopped
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Frame, FrameRef
from contracts.topics import MAX_MESSAGE_BYTES

POLL_MS = 250
"""How long one wait lasts: short, so that a stop is heard while the broker is silent."""


def reachable(bootstrap: tuple[str, ...]) -> bool:
    """Whether one of the brokers takes a connection: a KafkaConsumer that finds none leaves four files open."""
    for server in bootstrap:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
        except OSError:
            continue
        return True
    return False


class KafkaFrames:
    """Frames out of the broker, by a consumer that belongs to no group. Connects on the first fetch."""

    def __init__(self, bootstrap: tuple[str, ...], stop: threading.Event, timeout_s: float = 5.0) -> None:
        self._bootstrap = bootstrap
        self._stop = stop
        self._timeout_s = timeout_s
        self._made: Any = None

    def fetch(self, ref: FrameRef) -> Frame:
        """See Frames. Waits for a broker that is away as long as it takes, and `timeout_s` for a record it has."""
        place = TopicPartition(ref.topic, ref.partition)
        first, end = self._offsets(place)
        if ref.offset < first:
            raise FrameMissed("retention", f"{ref.topic}[{ref.partition}] begins at {first}, wanted {ref.offset}")
        if ref.offset >= end:
            raise FrameMissed("no_frame", f"{ref.topic}[{ref.partition}] ends at {end}, wanted {ref.offset}")
        value = self._record(place, ref.offset)
        try:
            return decode(value, Frame)
        except ContractError as error:
            raise FrameMissed("no_frame", error.reason) from error

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            self._made.close(autocommit=False, timeout_ms=500)
            self._made = None

    def _offsets(self, place: TopicPartition) -> tuple[int, int]:
        """The partition's first and end offset. A broker that just came back may not know it for a moment."""
        deadline: float | None = None
        while not self._stop.is_set():
            try:
                if self._made is None and not reachable(self._bootstrap):
                    raise KafkaConnectionError("no broker takes a connection")
                consumer = self._consumer()
                if place.partition in (consumer.partitions_for_topic(place.topic) or ()):
                    first = consumer.beginning_offsets([place], timeout_ms=1000)[place]
                    return first, consumer.end_offsets([place], timeout_ms=1000)[place]
            except KafkaError:
                deadline = None
            else:
                deadline = deadline or time.monotonic() + self._timeout_s
                if time.monotonic() >= deadline:
                    raise FrameMissed("no_frame", f"there is no {place.topic}[{place.partition}]")
            self._stop.wait(POLL_MS / 1000)
        raise Stopped("while fetching a frame")

    def _record(self, place: TopicPartition, offset: int) -> bytes:
        consumer = self._consumer()
        consumer.assign([place])
        consumer.seek(place, offset)
        deadline = time.monotonic() + self._timeout_s
        try:
            while time.monotonic() < deadline:
                if self._stop.is_set():
                    raise Stopped("while fetching a frame")
                for record in consumer.poll(POLL_MS, max_records=1).get(place, ()):
                    if record.offset != offset:
                        raise FrameMissed("no_frame", f"{place.topic}[{place.partition}] has no record at {offset}")
                    return record.value or b""
        except OffsetOutOfRangeError as error:
            raise FrameMissed("retention", f"deleted while it was fetched: {error}") from error
        finally:
            # Else the consumer would go on reading frames that nobody asked for.
            consumer.unsubscribe()
        raise FrameMissed("timeout", f"{place.topic}[{place.partition}] {offset} in {self._timeout_s:g} s")

    def _consumer(self) -> Any:
        if self._made is None:
            self._made = KafkaConsumer(
                bootstrap_servers=list(self._bootstrap),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
                bootstrap_timeout_ms=1000,
                reconnect_backoff_max_ms=1000,
                metrics_enabled=False,
            )
        return self._made
