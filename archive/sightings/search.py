"""Search back in time: where somebody who looks like this was seen, over all cameras, the most alike first.

All sightings are in memory as bytes, which says within a known error how alike each is; those that may be among the
best are then read in full. So the order is that of an exact search. Plain vectors are in memory only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archive.sightings.blocks import VECTOR, Vectors
from archive.sightings.folder import SEGMENT, TAIL, days_in
from archive.sightings.parts import Cameras, Part, segment_parts, tail_parts
from contracts.people import Sighting
from vault import DayKeys, VaultError

FOREVER_MS = 2**62
NOT_ASKED = -10.0
"""Below every cosine."""

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Query:
    """Who is looked for: a unit vector float32[D] of the embedder `model`, on which cameras, from when until when.

    `cameras` are those that whoever asks may see, None for all. At most `most` tracks are found, none with a cosine
    below `least`.
    """

    vector: Vectors
    model: str
    cameras: frozenset[str] | None
    since_ms: int = 0
    until_ms: int = FOREVER_MS
    least: float = 0.3
    most: int = 50


class Found(NamedTuple):
    """A sighting, its unit vector float32[D], and the cosine of that with what was looked for."""

    score: float
    sighting: Sighting
    vector: Vectors


class Search:
    """The sightings under `root` as far as `keys` opens them. Threads may share it."""

    def __init__(self, root: Path, keys: DayKeys) -> None:
        self._root = root
        self._keys = keys
        self._cameras = Cameras()
        self._parts: dict[Path, tuple[int, list[Part]]] = {}
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Read what was added to the folder, and let go of what is no more; returns how many sightings there are.

        A search does the same: call it before the first, which would wait for all of it.
        """
        with self._lock:
            there = {path: size for path, size in self._files()}
            for path in self._parts.keys() - there.keys():
                del self._parts[path]
            for path, size in there.items():
                if path not in self._parts or self._parts[path][0] != size:
                    self._load(path, size)
            return sum(len(part) for _, parts in self._parts.values() for part in parts)

    def find(self, query: Query) -> tuple[Found, ...]:
        """The tracks that are most alike, the best first, each by its best sighting."""
        self.refresh()
        with self._lock:
            parts = [part for _, some in self._parts.values() for part in some if part.model == query.model]
            allowed = self._cameras.allowed(query.cameras)
        scored = [_scores(part, allowed, query) for part in parts]
        count = 2 * query.most
        best: dict[str, Found] = {}
        read: set[tuple[int, int]] = set()
        self._read(parts, scored, query, count, best, read)
        while len(best) < query.most and len(read) >= count:
            # A track is told again with each test: the best rows may all be of a few tracks.
            count *= 4
            self._read(parts, scored, query, count, best, read)
        ranked = sorted(best.values(), key=lambda found: (-found.score, found.sighting.at_ms, found.sighting.track))
        return tuple(ranked[: query.most])

    def _read(
        self,
        parts: list[Part],
        scored: list[Scores],
        query: Query,
        count: int,
        best: dict[str, Found],
        read: set[tuple[int, int]],
    ) -> None:
        """Put the best sighting of each track among the `count` best rows into `best`; those in `read` are there."""
        for number, rows in _candidates(parts, scored, query, count):
            new = [row for row in rows if (number, row) not in read]
            read.update((number, row) for row in new)
            try:
                for sighting, vector in parts[number].read(new, self._keys):
                    found = Found(float(vector @ query.vector), sighting, vector)
                    known = best.get(sighting.track)
                    if found.score >= query.least and (known is None or found.score > known.score):
                        best[sighting.track] = found
            except (VaultError, OSError):
                continue  # its day went while it was looked at

    def vector(self, sealed: bytes) -> Vectors:
        """The unit vector float32[D] that an alert, a sighting or an unknown person seals; raises VaultError."""
        return np.frombuffer(self._keys.open(sealed), VECTOR).astype(np.float32)

    def _files(self) -> Iterator[tuple[Path, int]]:
        """The files that count with their sizes; of a tail and the segment that was made of it the segment."""
        days = self._keys.days
        for day, folder in days_in(self._root):
            if day in days:
                segments = list(folder.glob(f"*{SEGMENT}"))
                sealed = {path.stem for path in segments}
                tails = [path for path in folder.glob(f"*{TAIL}") if path.stem not in sealed]
                for path in (*segments, *tails):
                    try:
                        yield path, path.stat().st_size
                    except FileNotFoundError:
                        continue  # became a segment, or its day went

    def _load(self, path: Path, size: int) -> None:
        try:
            if path.suffix == SEGMENT:
                parts = segment_parts(path, self._keys, self._cameras)
            else:
                parts = tail_parts(path.read_bytes()[:size], path, self._keys, self._cameras)
        except (VaultError, OSError):
            return  # looked at again next time: its key or the file itself went meanwhile
        self._parts[path] = (size, parts)


class _Scored(NamedTuple):
    scores: NDArray[np.float32]
    parts: NDArray[np.int64]
    rows: NDArray[np.int64]

    def and_(self, more: _Scored) -> _Scored:
        return _Scored(
            np.concatenate((self.scores, more.scores)),
            np.concatenate((self.parts, more.parts)),
            np.concatenate((self.rows, more.rows)),
        )

    def above(self, floor: float) -> _Scored:
        keep = self.scores >= floor
        return _Scored(self.scores[keep], self.parts[keep], self.rows[keep])


def _scores(part: Part, allowed: NDArray[np.bool_], query: Query) -> Scores:
    """The part's scores by codes, which cost most of a search; NOT_ASKED for rows that nobody asks for."""
    scores = part.scores(query.vector)
    scores[~(allowed[part.cameras] & (part.at_ms >= query.since_ms) & (part.at_ms <= query.until_ms))] = NOT_ASKED
    return scores


def _candidates(parts: list[Part], scored: list[Scores], query: Query, count: int) -> Iterator[tuple[int, list[int]]]:
    """The rows that may be among the best `count`, by the part's number.

    A row is among the best `n` only if its score by codes is not below the n-th best one by more than twice the error.
    """
    error = max((part.error for part in parts), default=0.0)
    floor = query.least - error
    kept = _Scored(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    for number, scores in enumerate(scored):
        rows = np.flatnonzero(scores >= floor)
        if len(rows):
            numbers = np.full(len(rows), number)
            kept = kept.and_(_Scored(scores[rows], numbers, rows))
        if len(kept.scores) > 4 * count:
            floor = _nth(kept.scores, count) - 2 * error
            kept = kept.above(floor)
    if len(kept.scores) > count:
        kept = kept.above(_nth(kept.scores, count) - 2 * error)
    for number in np.unique(kept.parts).tolist():
        yield number, kept.rows[kept.parts == number].tolist()


def _nth(scores: NDArray[np.float32], count: int) -> float:
    return float(np.partition(scores, len(scores) - count)[len(scores) - count])
