"""The folder: immutable files, and one catalogue that says which of them count and how far the topics were read.

The catalogue is replaced in one step, and last: whatever is killed before, its files don't count and are deleted by the
next start; whatever is killed after, its records are not read again. So each row is there once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.rows import Kind
from contracts.decoding import from_json, from_msgpack

CATALOGUE = "catalogue.json"
FILES, STATES = "rows", "state"
DAY_MS = 86_400_000
GRACE_MS = 300_000
"""A file that was merged into another stays so long: who has read the catalogue before may still read it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of rows: its name in the folder, what and how much it holds, and from when to when (inclusive)."""

    name: str
    site: str
    kind: Kind
    day: str
    first_ms: int
    last_ms: int
    rows: int
    bytes: int


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Which files count. `places` are the next offsets by `topic/partition`, `dropped` says since when files don't."""

    v: int = 1
    number: int = 0
    cluster: str = ""
    places: dict[str, int] = {}
    state: str = ""
    files: tuple[Entry, ...] = ()
    dropped: dict[str, int] = {}


def read(mirror: Mirror) -> Catalogue:
    """The catalogue as it is now; an empty one where there is none yet."""
    found = mirror.read(CATALOGUE)
    return from_json(found, Catalogue) if found is not None else Catalogue()


def read_state(mirror: Mirror, catalogue: Catalogue) -> GatherState:
    """What was open at the catalogue's commit."""
    found = mirror.read(catalogue.state) if catalogue.state else None
    return from_msgpack(found, GatherState) if found is not None else GatherState()


def commit(mirror: Mirror, catalogue: Catalogue, state: GatherState) -> Catalogue:
    """Make `catalogue` the one that counts, with `state`; its files are there already."""
    number = catalogue.number + 1
    made = msgspec.structs.replace(catalogue, number=number, state=f"{STATES}/{number}.msgpack")
    mirror.write(made.state, msgspec.msgpack.encode(state))
    mirror.write(CATALOGUE, msgspec.json.encode(made))
    if catalogue.state:
        mirror.delete(catalogue.state)
    return made


def clean(mirror: Mirror, catalogue: Catalogue) -> int:
    """Delete what a killed writer left: files and states that the catalogue doesn't know. Returns how many."""
    known = {one.name for one in catalogue.files} | set(catalogue.dropped) | {catalogue.state}
    found = {name for folder in (FILES, STATES) for name in mirror.names(folder)}
    for name in found - known:
        mirror.delete(name)
    for lines in mirror.root.glob(".*.ndjson"):
        lines.unlink()
    return len(found - known)


def swept(mirror: Mirror, catalogue: Catalogue, now_ms: int) -> Catalogue:
    """The catalogue without the merged files whose grace is over; they are deleted."""
    over = [name for name, at_ms in catalogue.dropped.items() if now_ms - at_ms > GRACE_MS]
    for name in over:
        mirror.delete(name)
    left = {name: at_ms for name, at_ms in catalogue.dropped.items() if name not in over}
    return msgspec.structs.replace(catalogue, dropped=left)


def without(catalogue: Catalogue, gone: Iterable[Entry], now_ms: int) -> Catalogue:
    """The catalogue in which some files don't count any more."""
    names = {one.name for one in gone}
    return msgspec.structs.replace(
        catalogue,
        files=tuple(one for one in catalogue.files if one.name not in names),
        dropped=catalogue.dropped | dict.fromkeys(names, now_ms),
    )


def too_old(catalogue: Catalogue, now_ms: int, keep_days: float) -> tuple[Entry, ...]:
    """The files of days that ended more than `keep_days` ago."""
    oldest_ms = now_ms - keep_days * DAY_MS
    return tuple(one for one in catalogue.files if day_start_ms(one.day) + DAY_MS < oldest_ms)


def day_of(at_ms: int) -> str:
    """The UTC day of a time, as folders are named."""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()


def day_start_ms(day: str) -> int:
    """When a UTC day begins."""
    return round(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp() * 1000)
