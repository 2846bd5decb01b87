"""What can't be handled becomes a dead letter; of a frame it holds no pixel, as letters outlast the frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pyflink.common import Row

from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import DeadLetter
from contracts.metrics import Metrics
from stream.jobs.guard import MAX_PAYLOAD, Guard

VALUE = b"\xff\xd8" + bytes(range(256)) * 300


def refuse(_: Row) -> Iterator[Any]:
    raise ContractError("is no message")


@pytest.mark.parametrize(
    ("topic", "kept"),
    [
        (topics.TRACKS, VALUE[:MAX_PAYLOAD]),
        (topics.GALLERY, VALUE[:MAX_PAYLOAD]),
        (topics.frames("site"), b""),
        (topics.frames_late("site"), b""),
    ],
)
def test_a_letter_says_where_and_why_and_shows_no_picture(topic: str, kept: bytes) -> None:
    guard = Guard("detect", Metrics(CollectorRegistry()), clock=lambda: 5)
    ((_, written),) = guard.handle(Row(b"gate", VALUE, topic, 2, 7), refuse)
    letter = decode(written[1], DeadLetter)
    assert (letter.topic, letter.partition, letter.offset, letter.reason) == (topic, 2, 7, "is no message")
    assert (letter.size, letter.payload) == (len(VALUE), kept)
