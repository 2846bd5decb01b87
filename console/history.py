"""The history for who may see its cameras: rows with their alerts' pictures, figures, and what is taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import asdict, replace
from sqlalchemy import select

from archive.history.export import Export, Format
from archive.history.rows import EventRow, Kind, TrackRow
from archive.history.search import Place, Search, Wanted, visible
from console.rights import Who
from console.store.audit import AuditAction
from console.store.rows import AlertRow
from console.store.store import Store
from console.store.tables import alerts

MAX_PAGE = 200
MAX_EXPORT = 1_000_000
PERSONAL = ("person", "decision")
"""What of a track is only for those who may look for people."""


class FoundTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A track in a list. `snapshot` is the path in the API of the picture of an alert about it, or ""."""

    id: str
    camera: str
    lane: str
    track_id: int
    label: str
    first_ms: int
    last_ms: int
    confidence: float
    upper: str
    lower: str
    zones: tuple[str, ...]
    dwell_ms: tuple[int, ...]
    crossed: tuple[str, ...]
    rules: tuple[str, ...]
    still_ms: int
    person: str
    decision: str
    alert: str
    snapshot: str
    attributes: tuple[str, ...] = ()


class FoundEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in a list, and the alert that began with it ("" where there was none)."""

    id: str
    camera: str
    lane: str
    kind: str
    rule: str
    at_ms: int
    label: str
    zone: str
    score: float
    track_ids: tuple[int, ...]
    alert: str
    snapshot: str
    attributes: tuple[str, ...] = ()
    suppressed_by: str = ""


class Tracks(msgspec.Struct, frozen=True):
    """Tracks, and what to send as `after` for the next ones ("": these were the last)."""

    tracks: tuple[FoundTrack, ...]
    next: str


class Events(msgspec.Struct, frozen=True):
    """Events, and what to send as `after` for the next ones ("": these were the last)."""

    events: tuple[FoundEvent, ...]
    next: str


class History:
    """Looks for people: each question is limited to the cameras that somebody may see. All of it blocks."""

    def __init__(self, store: Store, search: Search) -> None:
        self._store = store
        self._export = Export(search)
        self.search = search

    def open(self) -> None:
        """Delete what a console that was killed was about to hand out."""
        self._export.clean()

    def close(self) -> None:
        """Give the memory back."""
        self.search.close()

    def tracks(self, who: Who, wanted: Wanted, after: Place | None, limit: int, now_ms: int) -> Tracks:
        """A page of tracks. Who looks for a person must be allowed to, and is in the audit."""
        if wanted.persons:
            who.need("search_people")
            self._note(who, "search.person", ", ".join(wanted.persons), {}, now_ms)
        rows = [_known_to(who, row) for row in self.search.tracks(seen_by(who, wanted), after, limit + 1)]
        more, rows = len(rows) > limit, rows[:limit]
        known = {one.id: one for one in self._store.alerts.rows({one for row in rows for one in row.alerts})}
        found = tuple(_track(row, [known[one] for one in row.alerts if one in known]) for row in rows)
        return Tracks(found, str(Place(rows[-1].first_ms, rows[-1].id)) if more else "")

    def track(self, who: Who, unique: str) -> TrackRow | None:
        """One track with its path, None when there is none that this person may see."""
        row = self.search.track(unique)
        return _known_to(who, row) if row is not None and who.sees(row.camera) else None

    def events(self, who: Who, wanted: Wanted, after: Place | None, limit: int) -> Events:
        """A page of events."""
        rows = self.search.events(seen_by(who, wanted), after, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        known = self._begun_with(rows)
        found = tuple(_event(row, known.get((row.camera, row.rule, row.at_ms))) for row in rows)
        return Events(found, str(Place(rows[-1].at_ms, rows[-1].id)) if more else "")

    def taken_away(self, who: Who, kind: Kind, wanted: Wanted, form: Format, now_ms: int) -> Iterator[bytes]:
        """The rows as a file, piece by piece; in the audit."""
        if wanted.persons:
            who.need("search_people")
        wanted = seen_by(who, wanted)
        self._note(who, "export", kind, {"format": form, "filter": asdict(wanted)}, now_ms)
        without = () if who.may("search_people") else PERSONAL
        return self._export.history(kind, wanted, form, MAX_EXPORT, without)

    def as_file(self, rows: Iterable[msgspec.Struct], types: dict[str, str], form: Format) -> Iterator[bytes]:
        """Rows of the store as a file, piece by piece."""
        return self._export.rows(rows, types, form)

    def _begun_with(self, rows: Iterable[EventRow]) -> dict[tuple[str, str, int], AlertRow]:
        """The alerts that began with events, by camera, rule and time."""
        times = {row.at_ms for row in rows}
        with self._store.database.read() as connection:
            ids = connection.execute(select(alerts.c.id).where(alerts.c.started_at_ms.in_(times))).scalars().all()
        return {(one.camera, one.rule, one.started_at_ms): one for one in self._store.alerts.rows(ids)}

    def _note(self, who: Who, action: AuditAction, subject: str, details: dict[str, Any], now_ms: int) -> None:
        self._store.audit.record(at_ms=now_ms, who=who.name, action=action, subject=subject, details=details)


def _known_to(who: Who, row: TrackRow) -> TrackRow:
    """A track as this person may know it: who it was is not for everybody."""
    return row if who.may("search_people") else replace(row, **dict.fromkeys(PERSONAL, ""))


def seen_by(who: Who, wanted: Wanted) -> Wanted:
    """What is wanted, of the cameras that this person may see."""
    return replace(wanted, cameras=visible(wanted.cameras or (), who.cameras))


def _track(row: TrackRow, known: list[AlertRow]) -> FoundTrack:
    best = next((one for one in known if one.snapshot), known[0] if known else None)
    given = {name: getattr(row, name) for name in FoundTrack.__struct_fields__ if hasattr(row, name)}
    return FoundTrack(**given, alert=best.id if best else "", snapshot=best.snapshot if best else "")


def _event(row: EventRow, alert: AlertRow | None) -> FoundEvent:
    given = {name: getattr(row, name) for name in FoundEvent.__struct_fields__ if hasattr(row, name)}
    return FoundEvent(**given, alert=alert.id if alert else "", snapshot=alert.snapshot if alert else "")
