"""Notifications: channels and how they do, routes to them, what was sent or not, and tests."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from console.api.base import WithParts, body, needs, reply, spec
from console.api.versions import Note, Version, add_history
from console.changes import ObjectView
from console.notify.courier import Standing
from console.overlay import ROUTES, Routes
from console.rights import Who, need_all
from console.store.notifications import NotificationRow
from console.store.objects import ObjectKey
from contracts.config import Route

router = APIRouter(prefix="/api/notifications", tags=["notifications"])

MAX_LISTED = 500
Editor = Annotated[Who, Depends(needs("configure"))]


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: since when it fails (0: it doesn't) and with what, what waits, and when something was last sent."""

    name: str
    kind: str
    enabled: bool
    failing_since_ms: int
    error: str
    waiting: int
    last_sent_at_ms: int


class NotificationList(msgspec.Struct, frozen=True):
    """Channels, and notifications, the latest first; the next page is `before` the last one's number."""

    channels: tuple[ChannelState, ...]
    notifications: tuple[NotificationRow, ...]


class NewRoutes(msgspec.Struct, frozen=True):
    """All routes in their order; `expected` is the version that they were changed on (0: the file's)."""

    routes: tuple[Route, ...]
    note: Note = ""
    expected: Version | None = None


class Sent(msgspec.Struct, frozen=True):
    """The number of the notification that was made."""

    number: int


@router.get("", **spec(NotificationList))
def notifications(
    parts: WithParts,
    who: Editor,
    status: Literal["", "waiting", "sent", "failed", "withheld"] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
) -> Response:
    """What was sent to whom, and what was not, with the reason."""
    rows = parts.store.notifications.history(status=status, before=before, limit=limit, cameras=who.cameras)
    channels = []
    for view in parts.notifier.channels():
        standing: Standing = view.standing
        channels.append(
            ChannelState(
                name=view.name,
                kind=str(view.channel.__struct_config__.tag),
                enabled=view.channel.enabled,
                failing_since_ms=standing.failing_since_ms,
                error=standing.error,
                waiting=view.count.waiting,
                last_sent_at_ms=view.count.last_sent_at_ms,
            )
        )
    return reply(NotificationList(tuple(channels), tuple(rows)))


@router.post("/channels/{channel}/test", **spec(Sent, status=202, errors=(404,)))
def test(channel: str, parts: WithParts, who: Editor) -> Response:
    """Have a channel send a test."""
    return reply(Sent(parts.notifier.test(who, channel, parts.clock_ms())), 202)


@router.get("/routes", **spec(ObjectView))
def routes(parts: WithParts, who: Editor) -> Response:
    """Which alerts go to which channels, for who sees all cameras."""
    need_all(who)
    return reply(parts.changes.view(who, ROUTES))


@router.put("/routes", **spec(ObjectView, takes=NewRoutes, errors=(409,)))
def put_routes(parts: WithParts, who: Editor, given: Annotated[NewRoutes, Depends(body(NewRoutes))]) -> Response:
    """Say which alerts go to which channels; channels stand in the file, beside the names of their secrets."""
    return reply(parts.changes.put(who, ROUTES, Routes(routes=given.routes), note=given.note, expected=given.expected))


def _of_routes() -> ObjectKey:
    return ROUTES


add_history(router, "/routes", _of_routes, "the routes", seen_by="configure")
