"""Finds rows of the history again: by time, camera, zone, label, colour, person and rule, page by page by key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from archive.history import catalog
from archive.history.mirror import Mirror
from archive.history.parquet import connected, empty
from archive.history.passages import PART_MS
from archive.history.rows import TIME, EventRow, Kind, TrackRow, columns
from contracts.decoding import convert
from contracts.errors import VedetteError

if TYPE_CHECKING:
    import duckdb

R = TypeVar("R", TrackRow, EventRow)

PATH = ("path_ms", "path_x", "path_y")
"""What a list doesn't show; it is most of a track's bytes."""
LAST_MS = 2**62

_ALL = {"cameras": "list_contains($cameras, camera)", "labels": "list_contains($labels, label)"}
_ATTRIBUTES = "list_has_any(attributes, $attributes)"
LISTS: dict[Kind, dict[str, str]] = {
    "tracks": _ALL
    | {
        "zones": "list_has_any(zones, $zones)",
        "rules": "list_has_any(rules, $rules)",
        "colours": "(list_contains($colours, upper) OR list_contains($colours, lower))",
        "persons": "list_contains($persons, person)",
        "attributes": _ATTRIBUTES,
    },
    "events": _ALL
    | {"zones": "list_contains($zones, zone)", "rules": "list_contains($rules, rule)", "attributes": _ATTRIBUTES},
    "windows": _ALL | {"zones": "list_contains($zones, zone)"},
}
"""What each list of `Wanted` means for rows of a kind."""

ASK_S = 1.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; empty means all, but for `cameras`: None is all, () none. `until_ms` is the first that doesn't count.

    A track is of a time when it was there at some moment of it. A colour is that of either half; a rule and a zone of a
    track are any that it met, an attribute (`name:value`) is any that was said. `silenced` is whether a suppression
    kept an event from being an alert. `begun` is from and until when a row must begin, whatever else is asked of its
    time.
    """

    cameras: tuple[str, ...] | None = None
    zones: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    silenced: bool | None = None
    since_ms: int = 0
    until_ms: int = 0
    begun: tuple[int, int] | None = None


class PlaceError(VedetteError):
    """Text that is no place in a list."""


class Place(msgspec.Struct, frozen=True):
    """The last row of a page: the next begins behind it, whatever has come since."""

    at_ms: int
    id: str

    def __str__(self) -> str:
        return f"{self.at_ms}~{self.id}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """What `str` made of one; raises PlaceError."""
        at_ms, found, unique = text.partition("~")
        if not found or not at_ms.isascii() or not at_ms.isdecimal() or len(at_ms) > 15:
            raise PlaceError(f"`{text[:60]}` is no place in a list")
        return cls(int(at_ms), unique)


class Search:
    """Asks the files that count; the database behind it is opened by the first question. Threads may share it."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.root = mirror.root
        self._known: tuple[catalog.Entry, ...] = ()
        self._ask_s = 0.0
        self._lock = threading.Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None

    def tracks(self, wanted: Wanted, after: Place | None, limit: int) -> list[TrackRow]:
        """Tracks by their beginning, the latest first, without their paths."""
        return self._page("tracks", TrackRow, wanted, after, limit)

    def events(self, wanted: Wanted, after: Place | None, limit: int) -> list[EventRow]:
        """Events by their beginning, the latest first; what went on with one, or ended it, is left out."""
        return self._page("events", EventRow, wanted, after, limit)

    def track(self, unique: str) -> TrackRow | None:
        """One track with its path."""
        at_ms = unique.rpartition(".")[2]
        if not at_ms.isascii() or not at_ms.isdecimal() or len(at_ms) > 15:
            return None
        wanted = Wanted(begun=(int(at_ms), int(at_ms) + 1))
        rows = self.ask("tracks", wanted, "SELECT * FROM {rows} WHERE id = $id", {"id": unique})
        return _row(TrackRow, list(columns("tracks")), rows[0]) if rows else None

    def ask(self, kind: Kind, wanted: Wanted, query: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The answer to a query of ours over `{rows}`: the rows of `kind` that are wanted, with all their columns."""
        source = self.source(kind, wanted)
        if source is None:
            return []
        text, parameters = source
        with self.cursor() as cursor:
            return cursor.execute(query.replace("{rows}", f"({text})"), parameters | (given or {})).fetchall()

    def source(self, kind: Kind, wanted: Wanted) -> tuple[str, dict[str, Any]] | None:
        """A query for the wanted rows and its parameters; None where no file can hold any."""
        names = [str(self._mirror.path(one.name)) for one in self._files(kind, wanted)]
        if not names or wanted.cameras == ():
            return None
        conditions, parameters = _conditions(kind, wanted)
        where = " AND ".join(conditions) or "true"
        # Files of an older version lack columns; where all do, the question would be none.
        files = "SELECT * FROM read_parquet($files, union_by_name = true, hive_partitioning = false)"
        text = f"SELECT * FROM ({files} UNION ALL BY NAME {empty(columns(kind))}) WHERE {where}"  # noqa: S608
        return text, parameters | {"files": names}

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one question; close it."""
        with self._lock:
            if self._opened is None:
                self.root.mkdir(parents=True, exist_ok=True)
                self._opened = connected(self.root, "reader", threads=2)
            return self._opened.cursor()

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _page(self, kind: Kind, made: type[R], wanted: Wanted, after: Place | None, limit: int) -> list[R]:
        at = TIME[kind]
        if after is not None:
            wanted = msgspec.structs.replace(wanted, until_ms=min(after.at_ms + 1, wanted.until_ms or LAST_MS))
        behind = f"({at} < $at OR ({at} = $at AND id < $after))" if after else "true"
        fresh = "opened_by = ''" if kind == "events" else "true"
        names = [name for name in columns(kind) if name not in PATH]
        query = (
            f"SELECT {', '.join(names)} FROM {{rows}} WHERE {behind} AND {fresh} "  # noqa: S608  our own names
            f"ORDER BY {at} DESC, id DESC LIMIT {limit:d}"
        )
        given = {"at": after.at_ms, "after": after.id} if after else {}
        found: list[R] = []
        for since_ms, until_ms in _spans({one.day for one in self._files(kind, wanted)}):
            of_span = msgspec.structs.replace(wanted, begun=(since_ms, until_ms))
            found += [_row(made, names, row) for row in self.ask(kind, of_span, query, given)]
            if len(found) >= limit:
                break
        return found[:limit]

    def _files(self, kind: Kind, wanted: Wanted) -> list[catalog.Entry]:
        # A track that began up to an hour before may still have been there.
        since_ms = wanted.since_ms - (PART_MS if kind == "tracks" else 0)
        first_ms, until_ms = wanted.begun or (0, LAST_MS)
        since_ms, until_ms = max(since_ms, first_ms), min(until_ms, wanted.until_ms or until_ms)
        of_kind = (one for one in self._entries() if one.kind == kind)
        return [one for one in of_kind if one.last_ms >= since_ms and one.first_ms < until_ms]

    def _entries(self) -> tuple[catalog.Entry, ...]:
        """The files that count; a bucket is asked once in ASK_S."""
        if self._mirror.bucket is None:
            return catalog.read(self._mirror).files
        with self._lock:
            if time.monotonic() >= self._ask_s:
                self._known = catalog.read(self._mirror).files
                self._ask_s = time.monotonic() + ASK_S
            return self._known


def _spans(days: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Spans of days that have files, the latest first, each three times as long as the one before.

    A page of what is common comes out of a day; of what is rare, few questions find it.
    """
    left = sorted(days, reverse=True)
    count = 1
    while left:
        some, left, count = left[:count], left[count:], 3 * count
        yield catalog.day_start_ms(some[-1]), catalog.day_start_ms(some[0]) + catalog.DAY_MS


def visible(cameras: Sequence[str], allowed: Iterable[str] | None) -> tuple[str, ...] | None:
    """The cameras to look at for who asked for `cameras` (none: all) and may see those `allowed` (None: all)."""
    if allowed is None:
        return tuple(cameras) or None
    seen = frozenset(allowed)
    return tuple(one for one in (cameras or sorted(seen)) if one in seen)


def _conditions(kind: Kind, wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    """What the wanted rows fulfil, and the parameters of that."""
    at = TIME[kind]
    found: dict[str, tuple[str, Any]] = {
        name: (condition, values)
        for name, condition in LISTS[kind].items()
        if (values := getattr(wanted, name)) or (name == "cameras" and values is not None)
    }
    if wanted.silenced is not None and kind == "events":
        found["silenced"] = ("(coalesce(suppressed_by, '') <> '') = $silenced", wanted.silenced)
    if wanted.since_ms:
        found["since"] = (f"{'last_ms' if kind == 'tracks' else at} >= $since", wanted.since_ms)
    if wanted.begun:
        found["begun"] = (f"{at} BETWEEN $begun[1] AND $begun[2] - 1", wanted.begun)
    if wanted.until_ms:
        found["until"] = (f"{at} < $until", wanted.until_ms)
    values = {name: list(value) if isinstance(value, tuple) else value for name, (_, value) in found.items()}
    return [condition for condition, _ in found.values()], values


def _row(made: type[R], names: Sequence[str], values: Sequence[Any]) -> R:
    given = dict(zip(names, values, strict=True))
    given |= {name: () for name in made.__struct_fields__ if name not in given and name in PATH}
    # Columns that a file of an older version lacks are null, and have their default.
    return convert({name: value for name, value in given.items() if value is not None}, made)
