"""The accepted frames that are not acknowledged yet, by lane: handed over, or waiting on disk. See publisher.py.

A frame is in one of three places: `live` (in memory and on disk, bounded by the publisher's window), in a camera's line
for the late lane (on disk only), or `late` (from that line, under way). Not thread-safe: the publisher holds a lock.
"""

from __future__ import annotations

import bisect
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bus.errors import BusError, WrongClockError
from contracts.fields import Lane
from contracts.messages import Frame
from edge.acks import Acks
from edge.metrics import Meters
from edge.sampler import Worth
from edge.spool import DamagedRecord, Record, Spool

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Disk:
    """Where frames wait, how far the lanes are, and how many frames a second leave the disk."""

    spool: Spool
    acks: Acks
    late_fps: float


class Lanes:
    """Keeps every accepted frame until it is acknowledged, or counts why it was given up."""

    def __init__(self, disk: Disk | None, meters: Meters) -> None:
        self._disk, self._meters = disk, meters
        self.live: dict[Record, float] = {}
        self.live_bytes = 0
        self.late: dict[Record, float] = {}
        self.late_bytes = 0
        self.waiting_bytes = 0
        self._lines: dict[str, list[Record]] = {}

    @property
    def waiting(self) -> bool:
        """Whether a frame waits for the late lane."""
        return bool(self._lines)

    def recover(self) -> None:
        """Take up what an earlier start left; raises OSError."""
        if self._disk is None:
            return
        self._disk.acks.load()
        spool = self._disk.spool
        for record in spool.open():
            if self._disk.acks.covers(record.camera, record.lane, record.place):
                spool.done(record)
            elif record.lane == "live":
                self._add_live(record)
            else:
                self._line_up(record)
        if spool.torn_records or spool.damaged_records:
            log.warning("the spool was damaged", extra={"torn": spool.torn_records, "damaged": spool.damaged_records})
        for _ in range(spool.damaged_records):
            self._meters.of("").dropped("spool_damaged")

    def accept(self, frame: Frame, payload: bytes, worth: Worth, lane: Lane) -> Record:
        """Keep a frame; `done` is set on the record when it could not be kept."""
        size = len(payload)
        record = Record(
            frame.camera, lane, worth, frame.session, frame.index, frame.captured_at_ms, size, payload=payload
        )
        record.traceparent = frame.traceparent
        self._store(record, payload)
        if lane == "live":
            self._add_live(record)
        elif not record.done:
            self._line_up(record)
            self._meters.of(record.camera).spooled()
        return record

    def live_again(self) -> Iterator[tuple[Record, bytes]]:
        """Every live frame, to be handed over again in order."""
        for record in list(self.live):
            payload = self._payload(record)
            if payload is not None:
                self.live[record] = time.monotonic()
                yield record, payload

    def next_late(self) -> tuple[Record, bytes] | None:
        """The next frame for the late lane, a camera after the other, each in order of place; None when none waits."""
        while self._lines:
            camera, line = next(iter(self._lines.items()))
            record = line.pop(0)
            del self._lines[camera]
            if line:
                self._lines[camera] = line  # to the end: the next camera's turn
            if record.done:
                continue
            self._leave_line(record)
            self.late[record] = time.monotonic()
            self.late_bytes += record.size
            payload = self._payload(record)
            if payload is not None:
                return record, payload
        return None

    def late_again(self) -> None:
        """Put what is under way in the late lane back in line."""
        for record in list(self.late):
            del self.late[record]
            self.late_bytes -= record.size
            self._line_up(record)

    def acknowledged(self, record: Record, at_ms: int) -> None:
        """The broker has the frame."""
        if self._disk is not None:
            self._disk.acks.advance(record.camera, record.lane, record.place)
        taken_s = (at_ms - record.captured_at_ms) / 1000
        self._meters.of(record.camera).sent(record.lane, taken_s, record.traceparent)
        self._forget(record)

    def refused(self, record: Record, error: BusError) -> None:
        """The broker will never take this record as it is. A wrong clock can be waited for, nothing else can."""
        log.error("a frame was refused", extra={"camera": record.camera, "error": str(error)})
        wrong_clock = record.lane == "live" and isinstance(error, WrongClockError)
        payload = self._payload(record) if wrong_clock else None
        if payload is None:
            self._drop(record, "refused")
            return
        self._forget(record)
        size = len(payload)
        moved = Record(record.camera, "late", record.worth, record.session, record.index, record.captured_at_ms, size)
        self._store(moved, payload)
        if not moved.done:
            self._line_up(moved)
            self._meters.of(moved.camera).spooled()

    def save(self) -> None:
        """Keep how far the lanes are; raises OSError."""
        if self._disk is not None:
            self._disk.acks.save()

    def close(self) -> None:
        """Close the files; raises OSError."""
        if self._disk is not None:
            self._disk.acks.save()
            self._disk.spool.close()

    def _store(self, record: Record, payload: bytes) -> None:
        """Write the record to disk if that can be done; a live one goes its way without."""
        if self._disk is None:
            return
        try:
            lost = self._disk.spool.append(record, payload)
        except OSError as error:
            log.error("the spool can't be written", extra={"camera": record.camera, "error": str(error)})
            if record.lane == "late":
                self._drop(record, "spool_error")
            return
        for gone in lost:
            if gone.lane == "late" and gone not in self.late:
                self._drop(gone, "spool_full")

    def _add_live(self, record: Record) -> None:
        self.live[record] = time.monotonic()
        self.live_bytes += record.size

    def _line_up(self, record: Record) -> None:
        record.waiting = True
        if record.segment is not None:
            record.payload = None
        bisect.insort(self._lines.setdefault(record.camera, []), record, key=lambda waiting: waiting.place)
        self.waiting_bytes += record.size

    def _leave_line(self, record: Record) -> None:
        record.waiting = False
        self.waiting_bytes -= record.size

    def _payload(self, record: Record) -> bytes | None:
        """What to send; None when the record is lost, which is then counted."""
        if record.payload is not None:
            return record.payload
        assert self._disk is not None
        try:
            return self._disk.spool.read(record)
        except DamagedRecord as error:
            log.error("a spooled frame is lost", extra={"camera": record.camera, "error": str(error)})
            self._drop(record, "spool_full" if record.segment is None else "spool_damaged")
        except OSError as error:
            log.error("a spooled frame can't be read", extra={"camera": record.camera, "error": str(error)})
            self._drop(record, "spool_error")
        return None

    def _drop(self, record: Record, reason: str) -> None:
        if record.waiting:
            self._leave_line(record)  # it stays in its line, and is passed over there
        self._meters.of(record.camera).dropped(reason)
        self._forget(record)

    def _forget(self, record: Record) -> None:
        if self.live.pop(record, None) is not None:
            self.live_bytes -= record.size
        if self.late.pop(record, None) is not None:
            self.late_bytes -= record.size
        record.payload = None
        if self._disk is not None:
            self._disk.spool.done(record)
        record.done = True
