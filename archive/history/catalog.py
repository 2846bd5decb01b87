"""The folder: immutable files, and one catalogue that says which of them count and how far the topics were read.

The catalogue is replaced in one step, and last: whatever is killed before, its files don't count and are deleted by the
next start; whatever is killed after, its records are not read again. So each row is there once.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from archive.history.gather import GatherState
from archive.history.rows import Kind
from contracts.config import Config

CATALOGUE = "catalogue.json"
STATES = "state"
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


def history_root(config: Config, state: Path) -> Path:
    """The history folder that the config names, else the one in the state folder."""
    return Path(config.history.folder).expanduser() if config.history.folder else state / "history"


def read(root: Path) -> Catalogue:
    """The catalogue as it is now; an empty one where there is none yet."""
    try:
        return msgspec.json.decode((root / CATALOGUE).read_bytes(), type=Catalogue)
    except FileNotFoundError:
        return Catalogue()


def read_state(root: Path, catalogue: Catalogue) -> GatherState:
    """What was open at the catalogue's commit."""
    if not catalogue.state:
        return GatherState()
    return msgspec.msgpack.decode((root / catalogue.state).read_bytes(), type=GatherState)


def commit(root: Path, catalogue: Catalogue, state: GatherState) -> Catalogue:
    """Make `catalogue` the one that counts, with `state`; its files are there already."""
    made = msgspec.structs.replace(
        catalogue, number=catalogue.number + 1, state=f"{STATES}/{catalogue.number + 1}.msgpack"
    )
    (root / STATES).mkdir(parents=True, exist_ok=True)
    keep(root / made.state, msgspec.msgpack.encode(state))
    keep(root / CATALOGUE, msgspec.json.encode(made))
    if catalogue.state:
        (root / catalogue.state).unlink(missing_ok=True)
    return made


def clean(root: Path, catalogue: Catalogue) -> int:
    """Delete what a killed writer left: files and states that the catalogue doesn't know. Returns how many."""
    known = {one.name for one in catalogue.files} | set(catalogue.dropped) | {catalogue.state}
    places = (*root.glob("site=*/**/*"), *root.glob(f"{STATES}/*"), *root.glob(".*.ndjson"))
    found = [path for path in places if path.is_file()]
    gone = [path for path in found if str(path.relative_to(root)) not in known]
    for path in gone:
        path.unlink()
    return len(gone)


def swept(root: Path, catalogue: Catalogue, now_ms: int) -> Catalogue:
    """The catalogue without the merged files whose grace is over; they are deleted."""
    over = [name for name, at_ms in catalogue.dropped.items() if now_ms - at_ms > GRACE_MS]
    for name in over:
        (root / name).unlink(missing_ok=True)
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


def keep(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, also one after a crash, finds the old content or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
