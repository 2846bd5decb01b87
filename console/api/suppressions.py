"""What operators' answers silence now: a list, and the way to take one back."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from console.api.base import WithParts, needs, reply, spec
from console.rights import Who
from console.store.suppressions import SuppressionRow

router = APIRouter(prefix="/api", tags=["alerts"])


class SuppressionList(msgspec.Struct, frozen=True):
    """What is silenced now, the latest first."""

    suppressions: tuple[SuppressionRow, ...]


@router.get("/suppressions", **spec(SuppressionList))
def running(parts: WithParts, who: Annotated[Who, Depends(needs("see"))]) -> Response:
    """What is silenced now."""
    return reply(SuppressionList(tuple(parts.silences.running(who))))


@router.delete("/suppressions/{suppression_id}", **spec(status=204, errors=(404,)))
def lift(suppression_id: str, parts: WithParts, who: Annotated[Who, Depends(needs("configure"))]) -> Response:
    """What was silenced alerts again."""
    parts.silences.lift(who, suppression_id)
    return Response(status_code=204)
