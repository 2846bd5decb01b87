"""The seam between clips and the log: a camera's frames of some seconds, in order, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from archive.evidence.frames import FrameMissed, Stopped
from bus.errors import GoneError, NoTopicError
from bus.span import Span, Start
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Frame

BEYOND_MS = 10_000
"""Cameras that share a partition are no further apart: once others are so far past the end, nothing more comes."""


class Wanted(NamedTuple):
    """Frames of `camera` captured from `from_ms` to `until_ms`."""

    topic: str
    partition: int
    camera: str
    from_ms: int
    until_ms: int


class Roll(NamedTuple):
    """Frames in order, none twice; `cut`: the log begins after the wanted time, so there may have been more."""

    cut: bool
    frames: Iterator[Frame]


class Footage(Protocol):
    """Where frames come from."""

    def roll(self, wanted: Wanted) -> Roll:
        """The frames; this, and each of them, may raise FrameMissed (none can be had), BusError (later) or Stopped."""
        ...


class KafkaFootage:
    """Frames out of the broker, with a connection of its own. Connects at the first roll."""

    def __init__(self, bootstrap: str, stop: threading.Event, timeout_s: float = 10.0) -> None:
        self._span = Span(bootstrap)
        self._stop = stop
        self._timeout_s = timeout_s

    def roll(self, wanted: Wanted) -> Roll:
        """See Footage."""
        try:
            start = self._span.start(wanted.topic, wanted.partition, wanted.from_ms)
        except NoTopicError as error:
            raise FrameMissed("no_frame", str(error)) from error
        return Roll(start.cut, self._frames(wanted, start))

    def close(self) -> None:
        """Give the connection up."""
        self._span.close()

    def _frames(self, wanted: Wanted, start: Start) -> Iterator[Frame]:
        key = wanted.camera.encode()
        last = (-1, -1)
        records = self._span.records(wanted.topic, wanted.partition, start, self._timeout_s, self._stop.is_set)
        try:
            for record in records:
                if record.timestamp_ms > wanted.until_ms + BEYOND_MS:
                    break
                if record.key != key or (frame := _frame(record.value)) is None or frame.camera != wanted.camera:
                    continue
                if frame.captured_at_ms > wanted.until_ms:
                    break
                place = (frame.session, frame.index)
                if frame.captured_at_ms >= wanted.from_ms and place > last:  # an agent may have sent one again
                    last = place
                    yield frame
        except GoneError as error:
            raise FrameMissed("retention", f"deleted while it was read: {error}") from error
        if self._stop.is_set():
            raise Stopped("while reading a clip's frames")


def _frame(value: bytes | None) -> Frame | None:
    """The frame, None for what is none: the detect job has made a dead letter of it already."""
    try:
        return decode(value or b"", Frame)
    except ContractError:
        return None
