"""For tests that write to the real broker themselves."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from bus.settings import Aside, settings
from contracts.topics import MAX_MESSAGE_BYTES

BY_KEY = -1
"""The partition that the key chooses."""


class Writer:
    """A producer that fails the test when a record isn't written."""

    def __init__(self, bootstrap: str) -> None:
        self._refused: list[KafkaError] = []
        more = {
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "linger.ms": 0,
            # In order, as the agent sends: else a batch that a new topic's leader refuses comes after the next one.
            "enable.idempotence": True,
            "message.timeout.ms": 90_000,  # 75 MB take that long where everybody else is busy too
            "partitioner": "murmur2_random",
        }
        self._producer = Producer({**settings(bootstrap, Aside()), **more})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()

    def send(
        self, topic: str, value: bytes | None, key: str | bytes | None = None, partition: int = BY_KEY, at_ms: int = 0
    ) -> None:
        """Hand a record over, waiting while too many are under way; `at_ms` 0 is now."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered, timestamp=at_ms)
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def put(self, topic: str, value: bytes | None, key: str | bytes | None = None, at_ms: int = 0) -> tuple[int, int]:
        """Write one record; returns its partition and offset. `at_ms` 0 is now."""
        found: list[tuple[KafkaError | None, Message]] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            found.append((error, message))

        self._producer.produce(topic, value, key, on_delivery=delivered, timestamp=at_ms)
        self.flush()
        ((error, message),) = found
        assert error is None, error
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        return partition, offset

    def flush(self) -> None:
        """Wait until all is written."""
        left = self._producer.flush(120)
        assert left == 0, f"{left} records were not written"
        assert not self._refused, self._refused

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)
