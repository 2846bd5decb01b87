"""The one seam for writing: what a writer needs of a connection, and the real one."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bus.errors import BusError, NoTopicError, bus_error
from bus.settings import CONNECT_S, Aside, settings
from contracts.topics import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

BY_KEY = -1
"""The partition that the key chooses, as in Kafka's own clients."""

POLL_S = 1.0


class Acked(NamedTuple):
    """Where and when (ms, the topic's kind of timestamp) the broker wrote a record."""

    partition: int
    offset: int
    timestamp_ms: int


class Link(Protocol):
    """A connection to the broker. Callbacks come from a thread of its own."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; raises BusError."""
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
        failed: Callable[[BusError], None],
    ) -> None:
        """Hand a record over; raises BusError when it isn't taken."""
        ...

    def close(self, timeout_s: float) -> None:
        """Wait at most `timeout_s` for what was handed over, then close."""
        ...


class KafkaLink:
    """librdkafka's idempotent producer, connected: the constructor blocks, and raises BusError."""

    def __init__(self, bootstrap: str) -> None:
        self._aside = Aside()
        self._producer = Producer(
            {
                **settings(bootstrap, self._aside),
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                # A record that passed its delivery time-out never gets another acknowledgement, even when the broker
                # is back, so it never passes: the publisher bounds what is under way.
                "message.timeout.ms": 0,
                "request.timeout.ms": 10_000,
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "partitioner": "murmur2_random",
            }
        )
        self._closed = False
        try:
            self._topics = self._producer.list_topics(timeout=CONNECT_S).topics
        except KafkaException as error:
            self._producer.poll(0)  # what it has to say aside
            raise bus_error(error, reason=self._aside.text) from error
        self._thread = threading.Thread(target=self._serve, name="kafka-producer", daemon=True)
        self._thread.start()

    def partitions(self, topic: str) -> int:
        """See Link."""
        found = self._topics.get(topic)
        if found is None or found.error is not None or not found.partitions:
            raise NoTopicError(f"the broker has no topic {topic!r}")
        return len(found.partitions)

    def send(
        self,
        topic: str,
        key: str,
        value: bytes,
        *,
        partition: int,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[BusError], None],
    ) -> None:
        """See Link."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed(bus_error(error))
                return
            at, offset = message.partition(), message.offset()
            assert at is not None
            assert offset is not None
            acked(Acked(at, offset, message.timestamp()[1]))

        try:
            self._producer.produce(topic, value, key, partition, timestamp=timestamp_ms, on_delivery=delivered)
        except (KafkaException, BufferError, RuntimeError) as error:  # refused, the queue is full, closed
            raise bus_error(error) from error

    def close(self, timeout_s: float) -> None:
        """See Link."""
        until_s = time.monotonic() + timeout_s
        while len(self._producer) and time.monotonic() < until_s:
            time.sleep(0.01)
        self._closed = True

    def _serve(self) -> None:
        """Call back what is reported until closed, and then that what is left has failed."""
        while not self._closed:
            self._report(POLL_S)
        self._producer.purge()
        while len(self._producer):
            self._report(POLL_S)
        self._producer.close()

    def _report(self, timeout_s: float) -> None:
        try:
            self._producer.poll(timeout_s)
        except Exception:
            log.exception("a callback failed")


def deliver(link: KafkaLink, topic: str, key: str, value: bytes, timestamp_ms: int, timeout_s: float) -> Acked:
    """Send one record and wait until the broker has it; raises BusError, also when it hasn't in time."""
    done: queue.SimpleQueue[Acked | BusError] = queue.SimpleQueue()
    link.send(topic, key, value, partition=BY_KEY, timestamp_ms=timestamp_ms, acked=done.put, failed=done.put)
    try:
        result = done.get(timeout=timeout_s)
    except queue.Empty:
        raise BusError(f"{topic}: not acknowledged within {timeout_s:g} s") from None
    if isinstance(result, BusError):
        raise result
    return result
