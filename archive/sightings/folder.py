"""The folder of sightings: one of each day, in it tails that grow and the segments that they become.

`<day>/<n>.tail` becomes `<day>/<n>.segment`: where both are there (a kill came between), the segment counts. A day goes
as a whole, with its key.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from archive.sightings.blocks import (
    framed,
    opened_block,
    records_in,
    sealed_blocks,
    sighting_record,
    sightings_in,
)
from contracts.people import Sighting
from vault import DayKeys, VaultError, day_of

log = logging.getLogger(__name__)

TAIL, SEGMENT = ".tail", ".segment"
TAIL_BYTES = 4 * 1024 * 1024
"""Some 4,000 to 8,000 sightings: a reader opens those of a tail one by one, 10 µs each."""
IDLE_S = 3600.0
"""A tail that didn't grow for so long becomes a segment, whatever its size."""

EPOCH = dt.date(1970, 1, 1)


class SightingsFolder:
    """What is written to the folder; one process does, its threads may share it. Empty until the first sighting."""

    def __init__(self, root: Path, keys: DayKeys) -> None:
        self.root = root
        self._keys = keys
        self._cut: set[Path] = set()
        self._lock = threading.Lock()

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Append them, on disk when this returns; raises OSError."""
        with self._lock:
            by_day: dict[int, list[Sighting]] = {}
            for sighting in sightings:
                by_day.setdefault(day_of(sighting.at_ms), []).append(sighting)
            for day, some in by_day.items():
                tail = self._tail(day)
                if tail not in self._cut:
                    _cut(tail)
                    self._cut.add(tail)
                with tail.open("ab") as file:
                    file.write(b"".join(map(sighting_record, some)))
                    file.flush()
                    os.fsync(file.fileno())
                if tail.stat().st_size >= TAIL_BYTES:
                    self._seal(tail)

    def tidy(self, now_ms: int, keep_days: float) -> None:
        """Make segments of tails that no longer grow, and delete days that ended more than `keep_days` ago."""
        with self._lock:
            for day, folder in days_in(self.root):
                if (day + 1 + keep_days) * 86_400_000 < now_ms:
                    shutil.rmtree(folder)
                    continue
                for tail in sorted(folder.glob(f"*{TAIL}")):
                    idle_s = now_ms / 1000 - tail.stat().st_mtime
                    if idle_s >= IDLE_S or tail.with_suffix(SEGMENT).exists():
                        self._seal(tail)

    def drop(self, day: int) -> None:
        """Delete a day."""
        with self._lock:
            shutil.rmtree(day_folder(self.root, day), ignore_errors=True)

    def forget(self, goes: Callable[[Sighting], bool], until_day: int | None = None) -> int:
        """Delete the sightings that `goes` says, of all days or those before `until_day`; returns how many.

        A day without key is left alone.
        """
        with self._lock:
            count = 0
            for day, folder in days_in(self.root):
                if day in self._keys.days and (until_day is None or day < until_day):
                    for file in sorted((*folder.glob(f"*{TAIL}"), *folder.glob(f"*{SEGMENT}"))):
                        count += self._rewrite(file, lambda sighting: not goes(sighting))
            return count

    def _tail(self, day: int) -> Path:
        folder = day_folder(self.root, day)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = {int(path.stem) for path in folder.iterdir() if path.stem.isdecimal()}
        newest = folder / f"{max(numbers, default=0)}{TAIL}"
        full = newest.with_suffix(SEGMENT).exists() or not numbers
        return folder / f"{max(numbers, default=0) + 1}{TAIL}" if full else newest

    def _seal(self, tail: Path) -> None:
        """The tail as a segment; it stays one while its day's key is not there."""
        if day_number(tail.parent.name) not in self._keys.days:
            return
        segment = tail.with_suffix(SEGMENT)
        if not segment.exists():
            sightings = sightings_in([record for _, record in records_in(tail.read_bytes())])
            _replace(segment, sealed_blocks(sightings, self._keys))
        tail.unlink()
        self._cut.discard(tail)

    def _rewrite(self, file: Path, stays: Callable[[Sighting], bool]) -> int:
        if file.suffix == TAIL:
            sightings = sightings_in([record for _, record in records_in(file.read_bytes())])
        else:
            try:
                sightings = segment_sightings(file, self._keys)
            except VaultError as error:
                log.error("%s: %s", file, error)  # nobody can read it
                return 0
        kept = [sighting for sighting in sightings if stays(sighting)]
        if len(kept) == len(sightings):
            return 0
        # By another number: whoever has read the old file notices.
        content = sealed_blocks(kept, self._keys)
        if content:
            number = max(int(path.stem) for path in file.parent.iterdir() if path.stem.isdecimal()) + 1
            _replace(file.with_name(f"{number}{SEGMENT}"), content)
        file.unlink()
        return len(sightings) - len(kept)


def segment_sightings(file: Path, keys: DayKeys) -> tuple[Sighting, ...]:
    """All sightings of a segment, each with its vector sealed anew; raises VaultError."""
    found = []
    for _, record in records_in(file.read_bytes()):
        block = opened_block(record, keys)
        for row, vector in enumerate(block.rows):
            sighting = block.sighting(row)
            found.append(msgspec.structs.replace(sighting, sealed=keys.seal(sighting.at_ms, vector.tobytes())))
    return tuple(found)


def days_in(root: Path) -> list[tuple[int, Path]]:
    """The days that are kept, with their folders, the oldest first; anything else is left alone."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        day = day_number(folder.name)
        if day is not None and folder.is_dir() and not folder.is_symlink():
            found.append((day, folder))
    return found


def day_folder(root: Path, day: int) -> Path:
    """The folder of a day (days since the epoch)."""
    return root / (EPOCH + dt.timedelta(days=day)).isoformat()


def day_number(name: str) -> int | None:
    """The day of a folder's name; None for one that is none's."""
    try:
        return (dt.date.fromisoformat(name) - EPOCH).days
    except ValueError:
        return None


def _cut(tail: Path) -> None:
    """Take off what a kill left of a record that wasn't written whole."""
    if not tail.exists():
        return
    content = tail.read_bytes()
    whole = max((place + len(framed(record)) for place, record in records_in(content)), default=0)
    if whole < len(content):
        os.truncate(tail, whole)


def _replace(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, also one after a crash, finds the old content or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
