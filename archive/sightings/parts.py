"""Sightings in memory: a byte a number, so that a million take 128 MB, and where each is written in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archive.sightings.blocks import (
    ROWS,
    Block,
    Vectors,
    opened_block,
    records_in,
    sightings_in,
    vector_of,
)
from contracts.people import Sighting
from vault import DayKeys, VaultError

STEPS = 127
BLOCK = 1024
"""Rows that are turned to float32 at a time: half a megabyte, which stays in the processor's cache."""


@dataclass(frozen=True)
class Part:
    """Some sightings by one embedder: codes int8[N,D] times scales [N] are their vectors, to within `error`.

    `error` bounds how much the product with any unit vector is off (Cauchy-Schwarz). A row is written in the block
    `row // ROWS` of `file`, at `places`, or is one of `tail`.
    """

    model: str
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    error: float
    at_ms: NDArray[np.int64]
    cameras: NDArray[np.uint16]
    file: Path
    places: tuple[int, ...] = ()
    tail: tuple[Sighting, ...] = ()

    def __len__(self) -> int:
        return len(self.scales)

    def scores(self, vector: Vectors) -> NDArray[np.float32]:
        """The products of all rows with a unit vector float32[D], each to within `error`."""
        scores = np.empty(len(self), np.float32)
        wide = np.empty((min(BLOCK, len(self)), self.codes.shape[1]), np.float32)
        for start in range(0, len(self), BLOCK):
            codes = self.codes[start : start + BLOCK]
            some = wide[: len(codes)]
            np.copyto(some, codes)
            np.dot(some, vector, out=scores[start : start + BLOCK])
        scores *= self.scales
        return scores

    def read(self, rows: Sequence[int], keys: DayKeys) -> Iterator[tuple[Sighting, Vectors]]:
        """These rows in full, each with its vector float32[D]; raises VaultError, OSError."""
        if self.tail:
            for row in rows:
                yield self.tail[row], vector_of(self.tail[row], keys).astype(np.float32)
            return
        with self.file.open("rb") as file:
            for number, some in groupby(sorted(rows), key=lambda row: row // ROWS):
                file.seek(self.places[number])
                length = int.from_bytes(file.read(4), "big")
                block = opened_block(file.read(length), keys)
                for row in some:
                    yield block.sighting(row % ROWS), block.rows[row % ROWS].astype(np.float32)


class Cameras:
    """Numbers for cameras' names, in the order in which they were met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The camera's."""
        return self._numbers.setdefault(name, len(self._numbers))

    def allowed(self, names: frozenset[str] | None) -> NDArray[np.bool_]:
        """By number, whether the camera is one of these; None is all."""
        return np.array([names is None or name in names for name in self._numbers], np.bool_)


def segment_parts(file: Path, keys: DayKeys, cameras: Cameras) -> list[Part]:
    """A segment's sightings, a part for each embedder; raises VaultError, OSError."""
    blocks = [(place, opened_block(record, keys)) for place, record in records_in(file.read_bytes())]
    parts = []
    for (model, _), some in groupby(blocks, key=lambda pair: (pair[1].model, pair[1].rows.shape[1])):
        places, opened = zip(*some, strict=True)
        parts.append(_part(model, opened, cameras, file, places))
    return parts


def tail_parts(content: bytes, file: Path, keys: DayKeys, cameras: Cameras) -> list[Part]:
    """A tail's sightings, a part for each embedder; those that can't be opened are left out."""
    pairs = []
    for sighting in sightings_in([record for _, record in records_in(content)]):
        try:
            pairs.append((sighting, vector_of(sighting, keys)))
        except VaultError:
            continue  # its day is gone, or not yet known: then the tail is read again when it has grown
    pairs.sort(key=lambda pair: (pair[0].model, len(pair[1])))
    parts = []
    for (model, _), some in groupby(pairs, key=lambda pair: (pair[0].model, len(pair[1]))):
        sightings, vectors = zip(*some, strict=True)
        at_ms = tuple(sighting.at_ms for sighting in sightings)
        names = tuple(sighting.camera for sighting in sightings)
        block = Block(model, np.stack(vectors).tobytes(), at_ms, names, b"")
        parts.append(_part(model, (block,), cameras, file, (), sightings))
    return parts


def _part(
    model: str,
    blocks: Sequence[Block],
    cameras: Cameras,
    file: Path,
    places: Sequence[int],
    tail: tuple[Sighting, ...] = (),
) -> Part:
    codes, scales, error = coded(np.concatenate([block.rows for block in blocks]).astype(np.float32))
    return Part(
        model=model,
        codes=codes,
        scales=scales,
        error=error,
        at_ms=np.array([at_ms for block in blocks for at_ms in block.at_ms], np.int64),
        cameras=np.array([cameras.number(name) for block in blocks for name in block.cameras], np.uint16),
        file=file,
        places=tuple(places),
        tail=tail,
    )


def coded(vectors: Vectors) -> tuple[NDArray[np.int8], NDArray[np.float32], float]:
    """Codes int8[N,D], scales [N], and the greatest distance of any of the vectors [N,D] from its code."""
    scales = (np.abs(vectors).max(axis=1) / STEPS).astype(np.float32)
    codes = np.rint(vectors / scales[:, None])
    error = float(np.linalg.norm(vectors - codes * scales[:, None], axis=1).max())
    return codes.astype(np.int8), scales, error
