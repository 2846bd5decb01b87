"""Fetches frames from the broker by their place."""

from __future__ import annotations

import threading
import time

from archive.evidence.frames import FrameMissed, Stopped
from bus.errors import BusError, GoneError, NoTopicError
from bus.lookup import Lookup
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Frame, FrameRef

RETRY_S = 0.25


class KafkaFrames:
    """Frames out of the broker. Connects on the first fetch."""

    def __init__(self, bootstrap: str, stop: threading.Event, timeout_s: float = 5.0) -> None:
        self._lookup = Lookup(bootstrap)
        self._stop = stop
        self._timeout_s = timeout_s

    def fetch(self, ref: FrameRef) -> Frame:
        """See Frames. Waits for a broker that is away as long as it takes, and `timeout_s` for a record it has."""
        first, end = self._bounds(ref)
        if ref.offset < first:
            raise FrameMissed("retention", f"{ref.topic}[{ref.partition}] begins at {first}, wanted {ref.offset}")
        if ref.offset >= end:
            raise FrameMissed("no_frame", f"{ref.topic}[{ref.partition}] ends at {end}, wanted {ref.offset}")
        value = self._value(ref)
        try:
            return decode(value, Frame)
        except ContractError as error:
            raise FrameMissed("no_frame", error.reason) from error

    def close(self) -> None:
        """Give the connection up."""
        self._lookup.close()

    def _bounds(self, ref: FrameRef) -> tuple[int, int]:
        """The partition's first and end offset. A broker that just came back may not know it for a moment."""
        deadline: float | None = None
        while not self._stop.is_set():
            try:
                return self._lookup.bounds(ref.topic, ref.partition)
            except NoTopicError as error:
                deadline = deadline or time.monotonic() + self._timeout_s
                if time.monotonic() >= deadline:
                    raise FrameMissed("no_frame", f"there is no {ref.topic}[{ref.partition}]") from error
            except BusError:
                deadline = None
            self._stop.wait(RETRY_S)
        raise Stopped("while fetching a frame")

    def _value(self, ref: FrameRef) -> bytes:
        place = f"{ref.topic}[{ref.partition}]"
        try:
            record = self._lookup.record(ref.topic, ref.partition, ref.offset, self._timeout_s, self._stop.is_set)
        except GoneError as error:
            raise FrameMissed("retention", f"deleted while it was fetched: {error}") from error
        except BusError as error:
            raise FrameMissed("timeout", f"{place} {ref.offset}: {error}") from error
        if self._stop.is_set():
            raise Stopped("while fetching a frame")
        if record is None:
            raise FrameMissed("timeout", f"{place} {ref.offset} in {self._timeout_s:g} s")
        if record.offset != ref.offset:
            raise FrameMissed("no_frame", f"{place} has no record at {ref.offset}")
        return record.value or b""
