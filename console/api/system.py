"""The hand-over report, health, readiness and metrics."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from prometheus_client.exposition import choose_encoder
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from console.api.base import WithParts, needs, reply, spec
from console.rights import Who
from console.store.rows import AlertRow, AnswerRow, Filter, Judged
from contracts.fields import Severity

router = APIRouter(tags=["system"])

SHIFT_MS = 8 * 3_600_000
SILENT_MS = 30_000
"""A consumer that has not spoken for so long is stuck."""
MAX_LISTED = 200

Millis = Annotated[int, Query(ge=0, le=2**62)]


class RuleLoad(msgspec.Struct, frozen=True):
    """How much one rule alerted, by verdict ("": without one)."""

    rule: str
    verdicts: dict[Judged, int]


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """What the next shift has to know of a span: alerts in numbers, how long they waited, what is open, what was said.

    `answers` are the latest first; `wait_median_s` and `wait_p95_s` count arrival to acknowledgement.
    """

    since_ms: int
    until_ms: int
    by_severity: dict[Severity, int]
    by_rule: tuple[RuleLoad, ...]
    acknowledged: int
    wait_median_s: float
    wait_p95_s: float
    open: tuple[AlertRow, ...]
    answers: tuple[AnswerRow, ...]


class Ready(msgspec.Struct, frozen=True):
    """Whether the console can serve, and what of it can't."""

    ready: bool
    database: bool
    alerts: bool


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool = True


@router.get("/api/report", **spec(HandOver))
def report(
    parts: WithParts, who: Annotated[Who, Depends(needs("report"))], since_ms: Millis = 0, until_ms: Millis = 0
) -> Response:
    """The hand-over report of a span (default: the last eight hours)."""
    until_ms = until_ms or parts.clock_ms() + 1
    since_ms = since_ms or max(0, until_ms - SHIFT_MS)
    if since_ms >= until_ms:
        raise HTTPException(422, "since_ms must be before until_ms")
    counted = parts.store.load.over_time(since_ms, until_ms, until_ms - since_ms, who.cameras)
    waits = parts.store.load.waits(since_ms, until_ms, who.cameras)
    still = parts.store.alerts.page(Filter(statuses=("open", "acknowledged")), None, MAX_LISTED, who.cameras)
    said = parts.store.answers.between(since_ms, until_ms, MAX_LISTED)
    seen = {row.id for row in parts.store.alerts.rows({one.alert for one in said}) if who.sees(row.camera)}
    judged = parts.store.load.judged("rule", since_ms, until_ms, who.cameras)
    found = HandOver(
        since_ms=since_ms,
        until_ms=until_ms,
        by_severity={one.severity: one.alerts for one in counted},
        by_rule=tuple(RuleLoad(one.name, one.counts) for one in judged),
        acknowledged=waits.acknowledged,
        wait_median_s=waits.median_s,
        wait_p95_s=waits.p95_s,
        open=still.rows,
        answers=tuple(one for one in said if one.alert in seen),
    )
    return reply(found)


@router.get("/healthz", response_model=None, response_class=Response, responses={200: {"description": "Alive"}})
def healthz() -> Response:
    """Whether the process answers."""
    return reply(Alive())


@router.get(
    "/readyz",
    response_model=None,
    response_class=Response,
    responses={200: {"description": "Ready"}, 503: {"description": "Not ready"}},
)
def readyz(parts: WithParts) -> Response:
    """Whether the database answers and alerts are read."""
    try:
        with parts.store.database.read() as connection:
            connection.execute(text("SELECT 1"))
        database = True
    except SQLAlchemyError:
        database = False
    alerts = parts.clock_ms() - parts.consumer.alive_at_ms < SILENT_MS
    return reply(Ready(database and alerts, database, alerts), 200 if database and alerts else 503)


@router.get("/metrics", **spec(str, media="text/plain"))
def metrics(request: Request, parts: WithParts, who: Annotated[Who, Depends(needs("see"))]) -> Response:
    """Prometheus metrics; a scraper sends an API token (`authorization: credentials_file`)."""
    if who.cameras is not None:
        raise HTTPException(403, "metrics are of all cameras")
    # OpenMetrics for who takes it: only that form holds the exemplars.
    encode, media = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(parts.registry), media_type=media)
