"""The one seam to Kafka's producer: what the publisher needs of it, and how the real one is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from kafka import KafkaProducer
from kafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from contracts.topics import MAX_MESSAGE_BYTES

BrokerError = KafkaError

REFUSED: tuple[type[Exception], ...] = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError)
"""Errors that are about one record and not about the broker: it was not written and never will be."""


class Acked(NamedTuple):
    """Where and when (ms, the topic's kind of timestamp) the broker wrote a record."""

    partition: int
    offset: int
    timestamp_ms: int


class Link(Protocol):
    """A connection to the broker. Callbacks come from a thread of its own."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; raises BrokerError."""
        ...

    def send(
        self,
        topic: str,
        key: str,
        value: bytes,
        *,
        partition: int,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Hand a record over; raises BrokerError when it isn't taken."""
        ...

    def close(self, timeout_s: float) -> None:
        """Wait at most `timeout_s` for what was handed over, then close."""
        ...


class KafkaLink:
    """kafka-python's idempotent producer, connected: the constructor is theirs, blocks, and raises BrokerError."""

    def __init__(self, bootstrap: tuple[str, ...]) -> None:
        self._producer: Any = KafkaProducer(
            bootstrap_servers=list(bootstrap),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            # A record that passed its delivery time-out never gets another acknowledgement, even when the broker is
            # back, so it never passes: the publisher bounds what is under way.
            delivery_timeout_ms=2**31 - 1,
            # One batch a partition is under way at a time: with frames larger than a batch that would be one frame
            # a round trip. A megabyte is a second of a camera.
            batch_size=1024 * 1024,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=10_000,
            # The default of 30 s let 22 s pass between the broker's return and the first acknowledgement.
            reconnect_backoff_max_ms=1000,
            bootstrap_timeout_ms=3000,
            max_block_ms=3000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def partitions(self, topic: str) -> int:
        """See Link."""
        return len(self._producer.partitions_for(topic))

    def send(
        self,
        topic: str,
        key: str,
        value: bytes,
        *,
        partition: int,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """See Link."""
        try:
            future = self._producer.send(
                topic, key=key.encode(), value=value, partition=partition, timestamp_ms=timestamp_ms
            )
        except ValueError as error:  # a partition that is gone: the topic was made anew while we looked away
            raise KafkaError(str(error)) from error
        future.add_callback(lambda at: acked(Acked(at.partition, at.offset, at.timestamp)))
        future.add_errback(failed)

    def close(self, timeout_s: float) -> None:
        """See Link."""
        try:
            self._producer.close(timeout=timeout_s)
        except KafkaError:
            # Its flush ran out of time, and then it leaves everything open, to wait once more when it is collected.
            self._producer._sender.force_close()
            self._producer._closed = True
