"""What a preview of a rule shows: its moments with the alert that there was, or the picture while it is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response

from archive.anonymise import hidden_jpeg
from archive.preview.question import Moment
from bus.errors import BusError
from bus.lookup import Lookup
from console.auth.guard import caller_of
from console.pages.desk import Desk, blocking
from console.previews import RulePreview
from console.rights import Who
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Frame

FETCH_S = 5.0


def shown_preview(desk: Desk, found: RulePreview) -> dict[str, Any]:
    """The preview for the browser. Blocks."""
    told: dict[str, Any] = msgspec.to_builtins(found)
    told["wanted"]["moments"] = [_moment(desk, moment) for moment in found.wanted.moments]
    return told


def _moment(desk: Desk, moment: Moment) -> dict[str, Any]:
    live = topics.frames(desk.config.site.name)
    ref = moment.ref
    picture = f"/preview/{ref.partition}/{ref.offset}.jpg" if ref is not None and ref.topic == live else ""
    there = desk.store.alerts.body(moment.alert) is not None
    open_ = f"/?status=all&alert={quote(moment.alert)}" if there else ""
    plain: dict[str, Any] = msgspec.to_builtins(moment)
    return plain | {"picture": picture, "open": open_}


def routes(desk: Desk) -> APIRouter:
    """The frames' addresses: of those that the topic still holds."""
    router = APIRouter(prefix="/preview", include_in_schema=False)

    @router.get("/{partition}/{offset}.jpg")
    async def frame(request: Request, partition: int, offset: int) -> Response:
        who = caller_of(request).who
        if who is None or not who.may("configure"):
            raise HTTPException(401)
        found = await blocking(_fetched, desk, who, partition, offset)
        if found is None:
            raise HTTPException(404)
        # Who is on it is not known here: of a camera that anonymises only large cells are shown.
        covered = desk.veil.covers(found.camera)
        jpeg = await blocking(hidden_jpeg, found.jpeg, None) if covered else found.jpeg
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    return router


def _fetched(desk: Desk, who: Who, partition: int, offset: int) -> Frame | None:
    """The frame at that place, if it is kept and this person sees its camera; the look is audited. Blocks."""
    lookup = Lookup(desk.parts.previews.bootstrap)
    topic = topics.frames(desk.config.site.name)
    try:
        record = lookup.record(topic, partition, offset, FETCH_S, lambda: False)
        found = decode(record.value or b"", Frame) if record is not None and record.offset == offset else None
    except (BusError, ContractError):
        return None
    finally:
        lookup.close()
    if found is None or not who.sees(found.camera):
        return None
    details = {"picture": "frame of a preview", "camera": found.camera}
    subject = f"{topic}/{partition}/{offset}"
    desk.store.audit.record(at_ms=desk.now_ms(), who=who.name, action="look", subject=subject, details=details)
    return found
