"""What operators' answers silence, as the database keeps it: also what has ended, for as long as its alert is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, func, select, update

from console.store.database import Database
from console.store.tables import alerts, suppressions
from contracts.decoding import from_json
from contracts.fields import Verdict
from contracts.suppressions import Suppression


class SuppressionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One suppression: who made it by which answer, and until when it runs; `ended_at_ms` 0: nobody ended it before."""

    camera: str
    verdict: Verdict
    operator: str
    body: Suppression
    ended_at_ms: int = 0
    ended_by: str = ""

    def in_force(self, now_ms: int) -> bool:
        """Whether it runs."""
        return not self.ended_at_ms and now_ms < self.body.until_ms


class SuppressionStore:
    """Suppressions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, connection: Connection, alert_number: int, row: SuppressionRow) -> None:
        """Keep a new one."""
        values = {
            "id": row.body.id,
            "alert": alert_number,
            "camera": row.camera,
            "verdict": row.verdict,
            "operator": row.operator,
            "made_at_ms": row.body.made_at_ms,
            "until_ms": row.body.until_ms,
            "ended_at_ms": row.ended_at_ms,
            "ended_by": row.ended_by,
            "body": msgspec.json.encode(row.body).decode(),
        }
        connection.execute(suppressions.insert().values(values))

    def end(self, connection: Connection, ids: Iterable[str], at_ms: int, by: str) -> None:
        """These run no longer; `by` "" is the console itself."""
        ending = update(suppressions).where(suppressions.c.id.in_(list(ids)), suppressions.c.ended_at_ms == 0)
        connection.execute(ending.values(ended_at_ms=at_ms, ended_by=by))

    def running(self, connection: Connection, now_ms: int, camera: str | None = None) -> list[SuppressionRow]:
        """Those in force, of one camera or of all, the oldest first."""
        found = select(suppressions).where(suppressions.c.ended_at_ms == 0, suppressions.c.until_ms > now_ms)
        if camera is not None:
            found = found.where(suppressions.c.camera == camera)
        rows = connection.execute(found.order_by(suppressions.c.number)).all()
        return [_row(one._mapping) for one in rows]

    def of_alert(self, connection: Connection, alert_id: str) -> list[SuppressionRow]:
        """Those that answers to one alert made, the oldest first."""
        found = (
            select(suppressions).join(alerts, alerts.c.number == suppressions.c.alert).where(alerts.c.id == alert_id)
        )
        return [_row(one._mapping) for one in connection.execute(found.order_by(suppressions.c.number)).all()]

    def get(self, connection: Connection, suppression_id: str) -> SuppressionRow | None:
        """One by its id."""
        found = connection.execute(select(suppressions).where(suppressions.c.id == suppression_id)).first()
        return _row(found._mapping) if found is not None else None

    def changed_at_ms(self, connection: Connection, camera: str) -> int:
        """When a camera's suppressions changed last; 0 where it never had any."""
        times = select(func.max(suppressions.c.made_at_ms), func.max(suppressions.c.ended_at_ms))
        found: Sequence[int | None] = tuple(connection.execute(times.where(suppressions.c.camera == camera)).one())
        return max(time or 0 for time in found)

    def read(self, now_ms: int) -> list[SuppressionRow]:
        """All in force, in a transaction of its own."""
        with self._database.read() as connection:
            return self.running(connection, now_ms)


def _row(found: object) -> SuppressionRow:
    values = dict(found)  # type: ignore[call-overload]
    return SuppressionRow(
        camera=values["camera"],
        verdict=values["verdict"],
        operator=values["operator"],
        body=from_json(values["body"], Suppression),
        ended_at_ms=values["ended_at_ms"],
        ended_by=values["ended_by"],
    )
