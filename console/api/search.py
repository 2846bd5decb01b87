"""The history: tracks and events by what is wanted, one track in full, and all of it as CSV or Parquet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from archive.history.export import Format
from archive.history.rows import Kind, TrackRow
from archive.history.search import Place, Wanted
from console.api.alerts import Millis, Names, Viewer
from console.api.base import MEDIA, WithParts, download, needs, reply, spec
from console.history import MAX_PAGE, Events, Tracks
from console.rights import Who

router = APIRouter(prefix="/api/search", tags=["search"])

Exporter = Annotated[Who, Depends(needs("export"))]


def wanted_of(
    camera: Names = [],  # noqa: B006  FastAPI copies it
    zone: Names = [],  # noqa: B006
    label: Names = [],  # noqa: B006
    colour: Names = [],  # noqa: B006
    person: Names = [],  # noqa: B006
    rule: Names = [],  # noqa: B006
    attribute: Names = [],  # noqa: B006
    silenced: bool | None = None,
    since_ms: Millis = 0,
    until_ms: Millis = 0,
) -> Wanted:
    """Which rows; of each parameter but the times several may be given. An attribute is `name:value`, as `hard_hat:no`;
    `silenced` is whether a suppression kept an event from being an alert.
    """
    return Wanted(
        cameras=tuple(camera) or None,
        zones=tuple(zone),
        labels=tuple(label),
        colours=tuple(colour),
        persons=tuple(person),
        rules=tuple(rule),
        attributes=tuple(attribute),
        silenced=silenced,
        since_ms=since_ms,
        until_ms=until_ms,
    )


Asked = Annotated[Wanted, Depends(wanted_of)]
After = Annotated[str, Query(max_length=300)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@router.get("/tracks", **spec(Tracks))
def tracks(parts: WithParts, who: Viewer, wanted: Asked, after: After = "", limit: Limit = 50) -> Response:
    """Tracks by their beginning, the latest first; `person` is an id, `colour` that of either half."""
    place = Place.parse(after) if after else None
    return reply(parts.history.tracks(who, wanted, place, limit, parts.clock_ms()))


@router.get("/{kind}/export", **spec(str, media=tuple(MEDIA.values())))
def export(kind: Kind, parts: WithParts, who: Exporter, wanted: Asked, format: Format = "csv") -> Response:
    """Tracks, events or windows (occupancy), a million at most, as a file; it is in the audit."""
    return download(parts.history.taken_away(who, kind, wanted, format, parts.clock_ms()), kind, format)


@router.get("/tracks/{track_id}", **spec(TrackRow, errors=(404,)))
def track(track_id: str, parts: WithParts, who: Viewer) -> Response:
    """One track with its path: ms after its beginning, and x and y in ten-thousandths of the picture."""
    found = parts.history.track(who, track_id)
    if found is None:
        raise HTTPException(404, "there is no such track")
    return reply(found)


@router.get("/events", **spec(Events))
def events(parts: WithParts, who: Viewer, wanted: Asked, after: After = "", limit: Limit = 50) -> Response:
    """Events by their beginning, the latest first."""
    place = Place.parse(after) if after else None
    return reply(parts.history.events(who, wanted, place, limit))
