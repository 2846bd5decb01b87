"""The agent's disk: a log of the frames that it accepted and that the broker hasn't acknowledged yet.

Every accepted frame is written here *before* it is handed to the producer, with the lane that it is for (publisher.py
says why). The write ends in the page cache, which outlives a kill -9 of the agent; most segments are deleted before the
kernel writes them to the disk at all.

One chain of segment files for each worth (heartbeat, motion, detail): making room is deleting the oldest segment of
the least worth, and nothing is ever rewritten. A record is

    magic u32 | header length u16 | payload length u32 | CRC32 of header u32 | CRC32 of payload u32 | header | payload

with CRC32 of the header seeded by the lengths, so that a start reads headers only. A torn tail is cut off and counted:
its frame was never accepted. Damage in the middle costs the records that it hit.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from contracts.decoding import from_msgpack
from contracts.fields import Lane
from edge.sampler import WORTHS, Worth

log = logging.getLogger(__name__)

MAGIC = 0x56444631  # "VDF1"
_HEAD = struct.Struct("<IHIII")
_LENGTHS = struct.Struct("<HI")

SEGMENT_BYTES = 8 * 1024 * 1024
"""About ten seconds of two cameras: what a start reads again, and the step in which room is made."""


class _Header(msgspec.Struct, frozen=True, array_like=True):
    camera: str
    lane: Lane
    session: int
    index: int
    captured_at_ms: int


class DamagedRecord(Exception):
    """What stands in the spool is not what was written."""


@dataclass(slots=True, eq=False)
class Segment:
    """One file of the spool. `alive` counts its records that are neither acknowledged nor given up."""

    path: Path
    number: int
    size: int = 0
    alive: int = 0
    records: list[Record] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Record:
    """One accepted frame. `segment` is None when it has no place on disk; then `payload` holds it.

    `traceparent` and `accepted_at_ms` are of frames whose way is traced, and of this start: the disk doesn't keep them.
    """

    camera: str
    lane: Lane
    worth: Worth
    session: int
    index: int
    captured_at_ms: int
    size: int
    segment: Segment | None = None
    offset: int = 0
    payload: bytes | None = None
    waiting: bool = False
    done: bool = False
    traceparent: str = ""
    accepted_at_ms: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """Where the frame stands in its camera's lane."""
        return self.session, self.index


class Spool:
    """A bounded log in `folder`. Not thread-safe: its owner holds a lock. Every method may raise OSError."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        # At least some thirty steps to the bound, so that making room costs little of what is kept.
        self._segment_bytes = min(SEGMENT_BYTES, max(max_bytes // 32, 64 * 1024))
        self._chains: dict[Worth, list[Segment]] = {worth: [] for worth in WORTHS}
        self._open: dict[Worth, BinaryIO] = {}
        self._number = 0
        self.disk_bytes = 0
        self.torn_records = 0
        self.damaged_records = 0

    def open(self) -> list[Record]:
        """Read what an earlier start left, in order of place; what it appended to is not appended to again."""
        found: list[Record] = []
        for worth in WORTHS:
            folder = self._folder / worth
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.seg"), key=_number_of):
                segment = Segment(path, _number_of(path), path.stat().st_size)
                self._number = max(self._number, segment.number)
                segment.records = list(self._scan(segment, worth))
                segment.alive = len(segment.records)
                self.disk_bytes += segment.size
                self._chains[worth].append(segment)
                found += segment.records
        self._sweep()
        return sorted(found, key=lambda record: record.place)

    def append(self, record: Record, payload: bytes) -> list[Record]:
        """Write `record`; returns the living records that had to go for it, or only itself (`segment` None).

        Only what is worth as much or less makes room for it, and only if that is room enough.
        """
        data = _encode(record, payload)
        if self.disk_bytes - self._yielding(record.worth) + len(data) > self._max_bytes:
            return [record]
        lost: list[Record] = []
        while self.disk_bytes + len(data) > self._max_bytes:
            victim = self._cheapest(record.worth)
            if victim is None:
                return [*lost, record]
            lost += self._evict(victim)
        segment, file = self._current(record.worth, len(data))
        record.segment, record.offset = segment, segment.size
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(segment.path))
        except OSError:
            record.segment = None
            self._close(record.worth)  # what stands there now may be half a record: nothing follows it
            raise
        segment.size += len(data)
        segment.alive += 1
        segment.records.append(record)
        self.disk_bytes += len(data)
        return lost

    def read(self, record: Record) -> bytes:
        """The payload of `record`; raises DamagedRecord."""
        if record.segment is None:
            if record.payload is None:
                raise DamagedRecord("its segment was deleted")
            return record.payload
        with record.segment.path.open("rb") as file:
            file.seek(record.offset)
            return _read(file, record.segment.size)[1]

    def done(self, record: Record) -> None:
        """The record is acknowledged or given up; a segment without living records is deleted."""
        if record.done:
            return
        record.done = True
        segment = record.segment
        if segment is None:
            return
        segment.alive -= 1
        if segment.alive == 0 and not self._is_current(record.worth, segment):
            self._delete(record.worth, segment)

    def close(self) -> None:
        """Close the files; those without a living record are deleted."""
        for worth in WORTHS:
            self._close(worth)
        self._sweep()

    def _scan(self, segment: Segment, worth: Worth) -> Iterator[Record]:
        with segment.path.open("rb") as file:
            offset = 0
            while offset < segment.size:
                file.seek(offset)
                try:
                    header, payload_at, payload_size, checksum = _read_head(file, segment.size)
                    end = payload_at + payload_size
                    if end == segment.size and zlib.crc32(file.read(payload_size)) != checksum:
                        raise DamagedRecord("the last payload doesn't match its CRC32")
                except DamagedRecord:
                    following = _next_record(segment, offset + 1)
                    if following is None:
                        self.torn_records += 1
                        os.truncate(segment.path, offset)
                        segment.size = offset
                        return
                    self.damaged_records += 1
                    offset = following
                    continue
                yield Record(
                    header.camera, header.lane, worth, header.session, header.index, header.captured_at_ms,
                    end - offset, segment, offset,
                )  # fmt: skip
                offset = end

    def _current(self, worth: Worth, size: int) -> tuple[Segment, BinaryIO]:
        """The segment to append to, a new one when this record would make it too large."""
        chain = self._chains[worth]
        if worth in self._open and chain[-1].size + size > self._segment_bytes:
            self._close(worth)
        if worth not in self._open:
            self._number += 1
            path = self._folder / worth / f"{self._number:012d}.seg"
            # Unbuffered: a record is either with the kernel or was not accepted.
            self._open[worth] = path.open("xb", buffering=0)
            self._chains[worth].append(Segment(path, self._number))
        return self._chains[worth][-1], self._open[worth]

    def _yielding(self, to: Worth) -> int:
        """The bytes that may be deleted for a record of this worth."""
        return sum(segment.size for worth in WORTHS[: WORTHS.index(to) + 1] for segment in self._chains[worth])

    def _cheapest(self, at_most: Worth) -> Segment | None:
        for worth in WORTHS[: WORTHS.index(at_most) + 1]:
            if self._chains[worth]:
                return self._chains[worth][0]
        return None

    def _evict(self, segment: Segment) -> list[Record]:
        living = [record for record in segment.records if not record.done]
        for record in segment.records:
            record.segment = None
        self._delete(next(worth for worth in WORTHS if segment in self._chains[worth]), segment)
        return living

    def _is_current(self, worth: Worth, segment: Segment) -> bool:
        return worth in self._open and self._chains[worth][-1] is segment

    def _close(self, worth: Worth) -> None:
        file = self._open.pop(worth, None)
        if file is not None:
            file.close()
            last = self._chains[worth][-1]
            if last.alive == 0:
                self._delete(worth, last)

    def _delete(self, worth: Worth, segment: Segment) -> None:
        current = self._open.pop(worth) if self._is_current(worth, segment) else None
        self._chains[worth].remove(segment)
        try:
            if current is not None:
                current.close()
            segment.path.unlink(missing_ok=True)
            self.disk_bytes -= segment.size
        except OSError as error:  # its records are done with; its bytes go on counting
            log.error("a segment of the spool can't be deleted", extra={"file": str(segment.path), "error": str(error)})

    def _sweep(self) -> None:
        for worth in WORTHS:
            for segment in [s for s in self._chains[worth] if s.alive == 0 and not self._is_current(worth, s)]:
                self._delete(worth, segment)


def _number_of(path: Path) -> int:
    return int(re.sub(r"\D", "", path.stem) or 0)


def _encode(record: Record, payload: bytes) -> bytes:
    header = msgspec.msgpack.encode(
        _Header(record.camera, record.lane, record.session, record.index, record.captured_at_ms)
    )
    sizes = _LENGTHS.pack(len(header), len(payload))
    head = _HEAD.pack(MAGIC, len(header), len(payload), zlib.crc32(header, zlib.crc32(sizes)), zlib.crc32(payload))
    record.size = len(head) + len(header) + len(payload)
    return b"".join((head, header, payload))


def _read_head(file: BinaryIO, limit: int) -> tuple[_Header, int, int, int]:
    """Header, place of the payload, its size and CRC32; raises DamagedRecord."""
    start = file.tell()
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise DamagedRecord("cut off in the head")
    magic, header_size, payload_size, header_crc, payload_crc = _HEAD.unpack(head)
    payload_at = start + _HEAD.size + header_size
    if magic != MAGIC or payload_at + payload_size > limit:
        raise DamagedRecord("no record, or cut off")
    header = file.read(header_size)
    if zlib.crc32(header, zlib.crc32(_LENGTHS.pack(header_size, payload_size))) != header_crc:
        raise DamagedRecord("the header doesn't match its CRC32")
    try:
        return from_msgpack(header, _Header), payload_at, payload_size, payload_crc
    except msgspec.MsgspecError as error:
        raise DamagedRecord(str(error)) from error


def _read(file: BinaryIO, limit: int) -> tuple[_Header, bytes]:
    header, _, payload_size, payload_crc = _read_head(file, limit)
    payload = file.read(payload_size)
    if zlib.crc32(payload) != payload_crc:
        raise DamagedRecord("the payload doesn't match its CRC32")
    return header, payload


def _next_record(segment: Segment, offset: int) -> int | None:
    """Where the next sound record begins after a damaged one."""
    with segment.path.open("rb") as file:
        file.seek(offset)
        data = file.read(segment.size - offset)
        magic = struct.pack("<I", MAGIC)
        found = data.find(magic)
        while found >= 0:
            file.seek(offset + found)
            try:
                _read(file, segment.size)
            except DamagedRecord:
                found = data.find(magic, found + 1)
                continue
            return offset + found
    return None
