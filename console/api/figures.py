"""What was seen in figures: occupancy, ways between zones and over lines, heat maps; and the site's plan."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from archive.history import figures
from archive.history.search import Wanted
from console.api.alerts import Viewer
from console.api.base import WithParts, needs, reply, spec
from console.api.search import Asked
from console.heat import COLUMNS, ROWS, picture_of
from console.history import seen_by
from console.rights import Who

router = APIRouter(prefix="/api", tags=["figures"])

MOST_BUCKETS = 2000
Configurer = Annotated[Who, Depends(needs("configure"))]


class Occupancy(msgspec.Struct, frozen=True):
    """One zone ("" is the whole picture) within `width_ms`; `left` were so many, after `dwell_s` in the mean."""

    start_ms: int
    zone: str
    occupancy: float
    most: int
    entered: int
    left: int
    dwell_s: float


class OccupancyList(msgspec.Struct, frozen=True):
    """Occupancy over time."""

    stays: tuple[Occupancy, ...]


class FoundWay(msgspec.Struct, frozen=True):
    """So many tracks went from zone `start` to zone `end`, or over line `start` in direction `end`."""

    start: str
    end: str
    tracks: int


class Ways(msgspec.Struct, frozen=True):
    """Between zones and over lines, the most first."""

    zones: tuple[FoundWay, ...]
    lines: tuple[FoundWay, ...]


@router.get("/figures/occupancy", **spec(OccupancyList))
def occupancy(
    parts: WithParts,
    who: Viewer,
    wanted: Asked,
    width_ms: Annotated[int, Query(ge=60_000, le=366 * 86_400_000)] = 3_600_000,
) -> Response:
    """Occupancy and dwell of zones in widths of time (default: the last day)."""
    _need_people(who, wanted)
    until_ms = wanted.until_ms or parts.clock_ms()
    since_ms = wanted.since_ms or max(0, until_ms - 86_400_000)
    if (until_ms - since_ms) // width_ms > MOST_BUCKETS:
        raise HTTPException(422, f"that is more than {MOST_BUCKETS} widths")
    asked = msgspec.structs.replace(seen_by(who, wanted), since_ms=since_ms, until_ms=until_ms)
    found = figures.stays(parts.history.search, asked, since_ms, width_ms)
    return reply(OccupancyList(tuple(Occupancy(*one) for one in found)))


@router.get("/figures/ways", **spec(Ways))
def ways(parts: WithParts, who: Viewer, wanted: Asked) -> Response:
    """How many went where."""
    _need_people(who, wanted)
    asked = seen_by(who, wanted)
    zones, lines = figures.flows(parts.history.search, asked), figures.crossings(parts.history.search, asked)
    return reply(Ways(tuple(FoundWay(*one) for one in zones), tuple(FoundWay(*one) for one in lines)))


@router.get("/figures/heat", **spec(str, errors=(404,), media="image/png"))
def heat(parts: WithParts, who: Viewer, wanted: Asked) -> Response:
    """Where time was spent in the picture of one `camera`, as a picture to lay over it."""
    _need_people(who, wanted)
    if wanted.cameras is None or len(wanted.cameras) != 1:
        raise HTTPException(422, "a heat map is of one camera")
    if not who.sees(wanted.cameras[0]):
        raise HTTPException(404, "there is no such camera")
    grid = figures.heat(parts.history.search, wanted, COLUMNS, ROWS)
    return Response(picture_of(grid), media_type="image/png", headers={"cache-control": "private, max-age=60"})


def _need_people(who: Who, wanted: Wanted) -> None:
    if wanted.persons:
        who.need("search_people")


async def _picture(request: Request) -> bytes:
    return await request.body()


@router.get("/plan", **spec(str, errors=(404,), media="image/jpeg"))
def plan(parts: WithParts, who: Viewer) -> Response:
    """The site's plan."""
    found = parts.plan.read()
    if found is None:
        raise HTTPException(404, "there is no plan")
    return Response(found, media_type="image/jpeg", headers={"cache-control": "private, no-cache"})


@router.put("/plan", **spec(status=204))
def replace_plan(parts: WithParts, who: Configurer, picture: Annotated[bytes, Depends(_picture)]) -> Response:
    """Put another plan there: the body is a JPEG, PNG or WebP picture, a megabyte at most."""
    parts.plan.replace(who, picture, parts.clock_ms())
    return Response(status_code=204)


@router.delete("/plan", **spec(status=204))
def remove_plan(parts: WithParts, who: Configurer) -> Response:
    """Take the plan away."""
    parts.plan.remove(who, parts.clock_ms())
    return Response(status_code=204)
