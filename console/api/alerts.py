"""Alerts: lists by filter and key, one in full, answers, exports, and news of them as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, get_type_hints

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec import Meta
from msgspec.structs import asdict

from archive.history.export import Format
from console.answers import MAX_AT_ONCE, Action, NoAlertError, answer, answer_all
from console.api.base import MEDIA, WithParts, body, download, needs, reply, spec
from console.auth.guard import COOKIE, caller_of
from console.hub import Presence, Reload, Subscription
from console.missed import Box
from console.parts import Parts
from console.rights import Who
from console.snoozes import SnoozedRule
from console.store.alerts import MAX_PAGE
from console.store.find import lets_through
from console.store.rows import AlertRow, AnswerRow, Cursor, Filter, Judged, RevisionRow, Status
from contracts.fields import Severity
from contracts.messages import Alert

router = APIRouter(prefix="/api", tags=["alerts"])

BEAT_S = 15.0
"""Between two signs of life on a quiet stream, and between two looks at the session on any."""
MAX_EXPORT = 100_000
MAX_VALUES = 200

Millis = Annotated[int, Query(ge=0, le=2**62)]
Names = Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=MAX_VALUES)]
Viewer = Annotated[Who, Depends(needs("see"))]


class AlertPage(msgspec.Struct, frozen=True):
    """Alerts, and what to send as `after` for the next ones ("": these were the last)."""

    alerts: tuple[AlertRow, ...]
    next: str


class AlertDetail(msgspec.Struct, frozen=True):
    """One alert in full: as a list shows it, as its newest revision said it, and its history."""

    row: AlertRow
    alert: Alert
    revisions: tuple[RevisionRow, ...]
    answers: tuple[AnswerRow, ...]
    lookers: tuple[str, ...]


class Counts(msgspec.Struct, frozen=True):
    """Open alerts by severity, each at most 1000."""

    open: dict[Severity, int]


class SnoozeList(msgspec.Struct, frozen=True):
    """Rules that are quiet now."""

    snoozes: tuple[SnoozedRule, ...]


OwnId = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9-]*$")]


class Given(msgspec.Struct, frozen=True):
    """An answer to one alert. `id` (a UUID of one's own) makes it safe to send it again when no reply came."""

    answer: Action
    id: OwnId = ""


class GivenBox(msgspec.Struct, frozen=True):
    """What the alert's picture shows and nobody had said. `id` is as in an answer."""

    missed: Box
    id: OwnId = ""


class GivenToMany(msgspec.Struct, frozen=True):
    """One answer to many alerts: to all, or to none."""

    alerts: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_AT_ONCE)]
    answer: Action


class Done(msgspec.Struct, frozen=True):
    """The alerts as they are after an answer."""

    alerts: tuple[AlertRow, ...]


def filter_of(
    camera: Names = [],  # noqa: B006  FastAPI copies it
    zone: Names = [],  # noqa: B006
    rule: Names = [],  # noqa: B006
    kind: Names = [],  # noqa: B006
    label: Names = [],  # noqa: B006
    person: Names = [],  # noqa: B006
    severity: Annotated[list[Severity], Query()] = [],  # noqa: B006
    status: Annotated[list[Status], Query()] = [],  # noqa: B006
    verdict: Annotated[list[Judged], Query()] = [],  # noqa: B006
    since_ms: Millis = 0,
    until_ms: Millis = 0,
    text: Annotated[str, Query(max_length=200)] = "",
) -> Filter:
    """Which alerts; of each parameter several may be given. A person is an id of somebody who is enrolled."""
    return Filter(
        cameras=tuple(camera),
        zones=tuple(zone),
        rules=tuple(rule),
        kinds=tuple(kind),
        labels=tuple(label),
        persons=tuple(person),
        severities=tuple(severity),
        statuses=tuple(status),
        verdicts=tuple(verdict),
        since_ms=since_ms,
        until_ms=until_ms,
        text=text,
    )


Wanted = Annotated[Filter, Depends(filter_of)]


@router.get("/alerts", **spec(AlertPage))
def page(
    parts: WithParts,
    who: Viewer,
    wanted: Wanted,
    after: Annotated[str, Query(max_length=80)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> Response:
    """Alerts in the queue's order: severity, then start, the latest first."""
    found = parts.store.alerts.page(wanted, Cursor.parse(after) if after else None, limit, who.cameras)
    return reply(AlertPage(found.rows, str(found.next or "")))


@router.get("/alerts/counts", **spec(Counts))
def counts(parts: WithParts, who: Viewer) -> Response:
    """How many alerts are open."""
    return reply(Counts(parts.store.alerts.open_counts(who.cameras)))


@router.get("/alerts/stream", **spec(str, media="text/event-stream"))
async def stream(request: Request, parts: WithParts, who: Viewer, wanted: Wanted) -> Response:
    """Alerts as they come and change, as server-sent events `alert`, `presence` and `reload`, for as long as one likes.

    A client that comes back (with Last-Event-ID) is told to `reload` first: what it missed is in GET /api/alerts.
    """
    subscription = parts.hub.subscribe()
    return StreamingResponse(
        _events(request, parts, who, wanted, subscription),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


@router.get("/alerts/export", **spec(str, media=tuple(MEDIA.values())))
def export(
    parts: WithParts, who: Annotated[Who, Depends(needs("export"))], wanted: Wanted, format: Format = "csv"
) -> Response:
    """Alerts as CSV or Parquet, a hundred thousand at most."""
    details = {"format": format, "filter": asdict(wanted)}
    parts.store.audit.record(at_ms=parts.clock_ms(), who=who.name, action="export", subject="alerts", details=details)
    return download(parts.history.as_file(_rows(parts, who, wanted), COLUMNS, format), "alerts", format)


@router.get("/alerts/{alert_id}", **spec(AlertDetail, errors=(404,)))
def detail(alert_id: str, parts: WithParts, who: Viewer) -> Response:
    """One alert in full."""
    row = row_of(parts, who, alert_id)
    alert = parts.store.alerts.body(alert_id)
    if alert is None:
        raise NoAlertError("there is no such alert")
    revisions, answers = parts.store.alerts.history(alert_id), parts.store.answers.of(alert_id)
    return reply(AlertDetail(row, alert, tuple(revisions), tuple(answers), parts.hub.lookers(alert_id)))


@router.post("/alerts/{alert_id}/answers", **spec(Done, takes=Given, errors=(404,)))
def give(
    alert_id: str,
    parts: WithParts,
    who: Annotated[Who, Depends(needs("answer"))],
    given: Annotated[Given, Depends(body(Given))],
) -> Response:
    """Answer an alert: acknowledge, verdict, assign, escalate, comment, snooze; hold and release its evidence."""
    row = answer(
        *(parts.store, parts.hub, who, alert_id, given.answer),
        at_ms=parts.clock_ms(),
        answer_id=given.id,
        silencing=parts.silences.silencing,
    )
    parts.outbox.wake()
    return reply(Done((row,)))


@router.post("/alerts/{alert_id}/missed", **spec(Done, takes=GivenBox, errors=(404,)))
def miss(
    alert_id: str,
    parts: WithParts,
    who: Annotated[Who, Depends(needs("answer"))],
    given: Annotated[GivenBox, Depends(body(GivenBox))],
) -> Response:
    """Say that something else is on the picture that is kept of an alert: what, and where."""
    return reply(Done((parts.missed.on_alert(who, alert_id, given.missed, given.id),)))


@router.post("/answers", **spec(Done, takes=GivenToMany, errors=(404,)))
def give_to_many(
    parts: WithParts,
    who: Annotated[Who, Depends(needs("answer"))],
    given: Annotated[GivenToMany, Depends(body(GivenToMany))],
) -> Response:
    """Answer many alerts at once."""
    rows = answer_all(
        *(parts.store, parts.hub, who, given.alerts, given.answer),
        at_ms=parts.clock_ms(),
        silencing=parts.silences.silencing,
    )
    parts.outbox.wake()
    return reply(Done(tuple(rows)))


@router.get("/snoozes", **spec(SnoozeList))
def snoozes(parts: WithParts, who: Viewer) -> Response:
    """Rules that are quiet now."""
    return reply(SnoozeList(tuple(parts.snoozes.running(who))))


@router.delete("/snoozes/{camera}/{rule}", **spec(status=204, errors=(404,)))
def end_snooze(camera: str, rule: str, parts: WithParts, who: Annotated[Who, Depends(needs("snooze"))]) -> Response:
    """The rule's alerts on that camera come again."""
    parts.snoozes.end(who, rule, camera)
    return Response(status_code=204)


def row_of(parts: Parts, who: Who, alert_id: str) -> AlertRow:
    """One alert that this person may see; raises NoAlertError, the same for one that they may not."""
    row = parts.store.alerts.get(alert_id) if "\0" not in alert_id else None
    if row is None or not who.sees(row.camera):
        raise NoAlertError("there is no such alert")
    return row


async def _events(
    request: Request, parts: Parts, who: Who, wanted: Filter, subscription: Subscription
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    looked_s = loop.time()
    try:
        yield b"event: reload\ndata: {}\n\n" if "last-event-id" in request.headers else b": hello\n\n"
        while True:
            try:
                news = await asyncio.wait_for(anext(subscription), BEAT_S)
            except TimeoutError:
                news = None
            if news is None or loop.time() - looked_s >= BEAT_S:
                if await asyncio.to_thread(_is_gone, request, parts, who):
                    return
                looked_s = loop.time()
            match news:
                case None:
                    yield b": beat\n\n"
                case Reload():
                    yield b"event: reload\ndata: {}\n\n"
                case Presence(alert_id, names):
                    data = msgspec.json.encode({"alert": alert_id, "names": names})
                    yield b"event: presence\ndata: " + data + b"\n\n"
                case AlertRow() if who.sees(news.camera) and lets_through(wanted, news):
                    data = msgspec.json.encode(news)
                    yield f"id: {news.number}.{news.revision}\nevent: alert\ndata: ".encode() + data + b"\n\n"
    finally:
        subscription.close()


def _is_gone(request: Request, parts: Parts, who: Who) -> bool:
    """Whether the session or token has ended, or may something else now."""
    now_ms = parts.clock_ms()
    if caller_of(request).session is None:
        found = parts.gate.by_token(request.headers.get("authorization", "").partition(" ")[2].strip(), now_ms)
        return found != who
    session = parts.gate.by_cookie(request.cookies.get(COOKIE, ""), now_ms)
    return session is None or session[1] != who


COLUMNS = {
    name: {int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}.get(kind, "VARCHAR")
    for name, kind in get_type_hints(AlertRow).items()
    if name not in ("number", "snapshot")
}
"""What an export holds, with its SQL types."""


def _rows(parts: Parts, who: Who, wanted: Filter) -> Iterator[AlertRow]:
    after, left = None, MAX_EXPORT
    while left > 0:
        found = parts.store.alerts.page(wanted, after, min(MAX_PAGE, left), who.cameras)
        yield from found.rows
        after, left = found.next, left - len(found.rows)
        if after is None:
            return
