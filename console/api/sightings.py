"""Search back in time in what cameras saw of faces."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from console.api.base import WithParts, body, needs, reply, spec
from console.people.looking import SightingView, Sought
from console.rights import Who

router = APIRouter(prefix="/api/sightings", tags=["people"])

Searcher = Annotated[Who, Depends(needs("search_people"))]


class SightingList(msgspec.Struct, frozen=True):
    """Sightings, the most alike first."""

    sightings: tuple[SightingView, ...]


@router.post("/search", **spec(SightingList, takes=Sought, errors=(404, 409)))
def search(parts: WithParts, who: Searcher, given: Annotated[Sought, Depends(body(Sought))]) -> Response:
    """Where somebody like this was seen, over all cameras that one may see. Each search is in the audit."""
    return reply(SightingList(tuple(parts.people.looking.find(who, given))))
