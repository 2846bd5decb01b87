"""What a row holds: one of a track, one of an event, one of a window, and their columns' SQL types."""

from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from contracts.attributes import pairs
from contracts.messages import Event, WindowStats

Kind = Literal["tracks", "events", "windows"]

PLACES = 10_000
"""A point of a path counts in these parts of the picture's width and height."""


class TrackRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One track from its first to its last picture; one that lasts longer than an hour is a row an hour.

    `upper` and `lower` are the colours of its halves ("" where nothing can be said). `zones` are its visits in their
    order, each with when it began and how long it lasted; `crossed` are `line:in|out`. The path's points are bottom
    centres, in PLACES of the picture, `path_ms` after `first_ms`. `still_ms` is how long it kept its place. `person`
    and `decision` are who it was and how sure that is, where people are identified; `attributes` (`name:value`) what
    classifiers said of it at last.
    """

    id: str
    site: str
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
    entered_ms: tuple[int, ...]
    dwell_ms: tuple[int, ...]
    crossed: tuple[str, ...]
    rules: tuple[str, ...]
    alerts: tuple[str, ...]
    still_ms: int
    path_ms: tuple[int, ...]
    path_x: tuple[int, ...]
    path_y: tuple[int, ...]
    person: str = ""
    decision: str = ""
    attributes: tuple[str, ...] = ()


class EventRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event; `attributes` as of a track, `suppressed_by` is what kept it from being an alert."""

    id: str
    site: str
    camera: str
    lane: str
    kind: str
    rule: str
    at_ms: int
    ended: bool
    opened_by: str
    label: str
    zone: str
    score: float
    track_ids: tuple[int, ...]
    attributes: tuple[str, ...] = ()
    suppressed_by: str = ""


class WindowRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One part of a window; parts add up, but for `occupancy_max`, which is the greatest."""

    id: str
    site: str
    camera: str
    lane: str
    zone: str
    label: str
    start_ms: int
    end_ms: int
    part: int
    frames: int
    observed_ms: int
    occupancy_ms: int
    occupancy_max: int
    entered: int
    departed: int
    dwell_ms: int


Row = TrackRow | EventRow | WindowRow

KINDS: dict[Kind, type[TrackRow] | type[EventRow] | type[WindowRow]] = {
    "tracks": TrackRow,
    "events": EventRow,
    "windows": WindowRow,
}
TIME: dict[Kind, str] = {"tracks": "first_ms", "events": "at_ms", "windows": "start_ms"}
"""The column by which rows are put into days and sorted."""

_SQL: dict[Any, str] = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def kind_of(row: Row) -> Kind:
    """Which kind a row is."""
    return next(kind for kind, made in KINDS.items() if isinstance(row, made))


def at_ms(row: Row) -> int:
    """The time of a row."""
    return int(getattr(row, TIME[kind_of(row)]))


def columns(kind: Kind) -> dict[str, str]:
    """Each column's SQL type."""
    return {name: _sql(hint) for name, hint in get_type_hints(KINDS[kind]).items()}


def _sql(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"{_SQL[get_args(hint)[0]]}[]"
    assert not isinstance(hint, types.UnionType)
    return _SQL[hint]


def event_row(event: Event) -> EventRow:
    """The row of an event."""
    return EventRow(
        id=event.id,
        site=event.site,
        camera=event.camera,
        lane=event.lane,
        kind=event.kind,
        rule=event.rule,
        at_ms=event.at_ms,
        ended=event.ended,
        opened_by=event.opened_by,
        label=event.label,
        zone=event.zone,
        score=event.score,
        track_ids=event.track_ids,
        attributes=pairs(event.attributes),
        suppressed_by=event.suppressed_by,
    )


def window_row(stats: WindowStats) -> WindowRow:
    """The row of a part of a window; its id tells it from all others."""
    lane = f"{stats.site}/{stats.camera}/{stats.lane}"
    return WindowRow(
        id=f"{lane}/{stats.zone}/{stats.label}/{stats.start_ms}/{stats.part}",
        site=stats.site,
        camera=stats.camera,
        lane=stats.lane,
        zone=stats.zone,
        label=stats.label,
        start_ms=stats.start_ms,
        end_ms=stats.end_ms,
        part=stats.part,
        frames=stats.frames,
        observed_ms=stats.observed_ms,
        occupancy_ms=stats.occupancy_ms,
        occupancy_max=stats.occupancy_max,
        entered=stats.entered,
        departed=stats.left,
        dwell_ms=stats.dwell_ms,
    )
