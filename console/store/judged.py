"""Past alerts with what operators said of them: what thresholds are suggested from."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from archive.preview.silent import Looked
from console.store.database import Database
from console.store.names import Names
from console.store.rows import JUDGED, STATUSES, Judged
from console.store.tables import alerts
from contracts.decoding import from_json
from contracts.messages import Condition


class JudgedAlert(NamedTuple):
    """One alert, its rule's conditions as they were, the verdict on it, and what it looked like."""

    rule: str
    camera: str
    started_at_ms: int
    ended_at_ms: int
    verdict: Judged
    trace: tuple[Condition, ...]
    looked: Looked


class _Body(Looked, frozen=True, kw_only=True):
    """What is read of an alert's body: also its rule's conditions."""

    trace: tuple[Condition, ...] = ()


class JudgedAlerts:
    """Reads the alerts of one database."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    def since(self, since_ms: int, limit: int) -> list[JudgedAlert]:
        """The latest `limit` alerts that began since and were not born snoozed, by start."""
        shown = (alerts.c.rule, alerts.c.camera, alerts.c.started_at_ms, alerts.c.ended_at_ms, alerts.c.at_ms)
        query = select(*shown, alerts.c.verdict, alerts.c.body).where(
            alerts.c.started_at_ms >= since_ms, alerts.c.status != STATUSES.index("snoozed")
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(alerts.c.started_at_ms.desc()).limit(limit)).all()
        bodies = [from_json(row.body, _Body) for row in rows]
        return [
            JudgedAlert(
                rule=self._names.name(row.rule),
                camera=self._names.name(row.camera),
                started_at_ms=row.started_at_ms,
                ended_at_ms=max(row.started_at_ms, row.ended_at_ms or row.at_ms),
                verdict=JUDGED[row.verdict],
                trace=body.trace,
                looked=body,
            )
            for row, body in zip(reversed(rows), reversed(bodies), strict=True)
        ]
