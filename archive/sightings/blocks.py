"""The form of the files: sightings as they came (a tail), and many sealed together under their day's key (a segment).

A block's vectors lie side by side, so that a million are opened and read in seconds; one sealed by one that would be a
million calls. A block is small enough to be opened again for the sake of one sighting in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.codec import decode, encode
from contracts.decoding import msgpack_decoder
from contracts.errors import ContractError
from contracts.people import Sighting
from vault import DayKeys, VaultError

ROWS = 64
"""Sightings of a block: 16 KB of vectors, which take 10 µs to open."""

VECTOR = np.dtype("<f2")
Vectors = NDArray[np.float32]

_LENGTH = struct.Struct(">I")


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Some sightings by the same embedder: float16[N,D], and of each its time, camera and all else as a message."""

    model: str
    vectors: bytes
    at_ms: tuple[int, ...]
    cameras: tuple[str, ...]
    sightings: bytes

    @property
    def rows(self) -> NDArray[np.float16]:
        """The vectors, [N,D]."""
        return np.frombuffer(self.vectors, VECTOR).reshape(len(self.at_ms), -1)

    def sighting(self, row: int) -> Sighting:
        """One of them, without its vector."""
        return decode(_RAWS.decode(self.sightings)[row], Sighting)


_BLOCK = msgpack_decoder(Block)
_RAWS = msgpack_decoder(tuple[bytes, ...])


def vector_of(sighting: Sighting, keys: DayKeys) -> NDArray[np.float16]:
    """What the sighting seals: a unit vector [D]. Raises VaultError, also for what is no such vector."""
    plain = keys.open(sighting.sealed)
    vector = np.frombuffer(plain, VECTOR) if plain and len(plain) % VECTOR.itemsize == 0 else np.zeros(0, VECTOR)
    if not 0.99 < float(np.linalg.norm(vector.astype(np.float32))) < 1.01:
        raise VaultError(f"{sighting.track}: what is sealed is no unit vector")
    return vector


def sealed_blocks(sightings: Sequence[Sighting], keys: DayKeys) -> bytes:
    """A segment's content; what can't be opened is left out. All sightings are of one day."""
    opened: dict[tuple[str, int], list[tuple[Sighting, NDArray[np.float16]]]] = {}
    for sighting in sightings:
        try:
            vector = vector_of(sighting, keys)
        except VaultError:
            continue  # it could be found by nobody, and its day's key is there: it was never whole
        opened.setdefault((sighting.model, len(vector)), []).append((sighting, vector))
    content = b""
    for (model, _), pairs in sorted(opened.items()):
        for start in range(0, len(pairs), ROWS):
            some = pairs[start : start + ROWS]
            block = Block(
                model,
                np.stack([vector for _, vector in some]).tobytes(),
                tuple(sighting.at_ms for sighting, _ in some),
                tuple(sighting.camera for sighting, _ in some),
                msgspec.msgpack.encode(
                    tuple(encode(msgspec.structs.replace(sighting, sealed=b"")) for sighting, _ in some)
                ),
            )
            content += framed(keys.seal(some[0][0].at_ms, msgspec.msgpack.encode(block)))
    return content


def opened_block(sealed: bytes, keys: DayKeys) -> Block:
    """The block; raises VaultError where the key of its day is gone, or it was changed."""
    try:
        return _BLOCK.decode(keys.open(sealed))
    except msgspec.MsgspecError as error:
        raise VaultError(f"what is sealed is no block of sightings: {error}") from error


def sighting_record(sighting: Sighting) -> bytes:
    """A sighting as it stands in a tail: its vector is sealed as it came."""
    return framed(encode(sighting))


def sightings_in(records: Sequence[bytes]) -> tuple[Sighting, ...]:
    """The sightings of a tail, of each track the latest; records that are none are passed over."""
    latest: dict[str, Sighting] = {}
    for record in records:
        try:
            sighting = decode(record, Sighting)
        except ContractError:
            continue  # written by another version
        latest.pop(sighting.track, None)
        latest[sighting.track] = sighting
    return tuple(latest.values())


def framed(record: bytes) -> bytes:
    """A record with its length before it."""
    return _LENGTH.pack(len(record)) + record


def records_in(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each whole record with its place; one that was cut off at the end is left out."""
    place = 0
    while place + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, place)
        start = place + _LENGTH.size
        if start + length > len(content):
            return
        yield place, content[start : start + length]
        place = start + length
