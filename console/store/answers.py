"""Operators' answers as they are kept, rules that are snoozed, and what waits for the broker."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from console.store.database import Database
from console.store.rows import JUDGED, STATUSES, AlertRow, AnswerRow
from console.store.tables import alerts, answers, holds, names, outbox, snoozes
from contracts.decoding import from_json


class Waiting(NamedTuple):
    """A record that the broker has not acknowledged yet."""

    number: int
    topic: str
    key: str
    value: bytes


class Answers:
    """Answers, snoozes and the outbox of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, connection: Connection, alert_number: int, answer: AnswerRow) -> bool:
        """Keep an answer; False when one of its id is there already."""
        insert: Any = sqlite.insert if self._database.is_sqlite else postgresql.insert
        values = {
            "id": answer.id,
            "alert": alert_number,
            "operator": answer.operator,
            "at_ms": answer.at_ms,
            "action": answer.action,
            "body": msgspec.json.encode(answer).decode(),
        }
        added = insert(answers).values(values).on_conflict_do_nothing().returning(answers.c.number)
        return connection.execute(added).first() is not None

    def change(self, connection: Connection, before: AlertRow, after: AlertRow) -> None:
        """Write what an answer changed of its alert."""
        values = {
            "status": STATUSES.index(after.status),
            "verdict": JUDGED.index(after.verdict),
            "acknowledged_at_ms": after.acknowledged_at_ms,
            "acknowledged_by": after.acknowledged_by,
            "escalated_at_ms": after.escalated_at_ms,
            "assigned_to": after.assigned_to,
        }
        connection.execute(update(alerts).where(alerts.c.number == before.number).values(values))

    def snooze(self, connection: Connection, rule: str, camera: str, until_ms: int, operator: str) -> None:
        """A rule's alerts of one camera that begin before `until_ms` are born snoozed."""
        connection.execute(delete(snoozes).where(snoozes.c.rule == rule, snoozes.c.camera == camera))
        values = {"rule": rule, "camera": camera, "until_ms": until_ms, "operator": operator}
        connection.execute(snoozes.insert().values(values))

    def snoozed(self, now_ms: int) -> list[tuple[str, str, int, str]]:
        """What is snoozed now: rule, camera, until when (ms), by whom."""
        query = select(snoozes.c.rule, snoozes.c.camera, snoozes.c.until_ms, snoozes.c.operator)
        with self._database.read() as connection:
            return [tuple(row) for row in connection.execute(query.where(snoozes.c.until_ms > now_ms))]

    def end_snooze(self, connection: Connection, rule: str, camera: str, now_ms: int) -> int | None:
        """A rule is snoozed on a camera no longer; until when (ms) it would have been, None when it was not."""
        one = (snoozes.c.rule == rule, snoozes.c.camera == camera, snoozes.c.until_ms > now_ms)
        until_ms: int | None = connection.execute(
            delete(snoozes).where(*one).returning(snoozes.c.until_ms)
        ).scalar_one_or_none()
        return until_ms

    def kept_quiet(self, connection: Connection, rule: str, camera: str, until_ms: int) -> list[str]:
        """The snoozed alerts of a rule on a camera that go on, or that a snooze until then was said of, by id."""
        number = {name: select(names.c.number).where(names.c.name == name).scalar_subquery() for name in (rule, camera)}
        quiet = select(alerts.c.id).where(
            alerts.c.status == STATUSES.index("snoozed"),
            alerts.c.rule == number[rule],
            alerts.c.camera == number[camera],
        )
        going_on = connection.execute(quiet.where(alerts.c.state != "end")).scalars()
        said = quiet.add_columns(answers.c.body).join(answers, answers.c.alert == alerts.c.number)
        said = said.where(answers.c.action == "snooze")
        told = [row.id for row in connection.execute(said) if from_json(row.body, AnswerRow).until_ms == until_ms]
        return list(dict.fromkeys([*going_on, *told]))

    def hold(self, connection: Connection, alert_number: int, case: str, said: AnswerRow | None) -> None:
        """A case holds an alert from now on (None: no longer)."""
        connection.execute(delete(holds).where(holds.c.alert == alert_number, holds.c.case == case))
        if said is not None:
            values = {"alert": alert_number, "case": case, "at_ms": said.at_ms, "operator": said.operator}
            connection.execute(holds.insert().values(values))

    def cases_of(self, alert_id: str) -> list[str]:
        """The cases that hold an alert, by name."""
        query = select(holds.c.case).join(alerts, alerts.c.number == holds.c.alert).where(alerts.c.id == alert_id)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(holds.c.case)).scalars())

    def of(self, alert_id: str) -> list[AnswerRow]:
        """An alert's answers, oldest first."""
        query = select(answers.c.body).join(alerts, alerts.c.number == answers.c.alert).where(alerts.c.id == alert_id)
        with self._database.read() as connection:
            bodies = connection.execute(query.order_by(answers.c.number)).scalars()
            return [from_json(body, AnswerRow) for body in bodies]

    def between(self, since_ms: int, until_ms: int, limit: int = 1000) -> list[AnswerRow]:
        """Answers given from `since_ms` on and before `until_ms`, the latest first."""
        query = select(answers.c.body).where(answers.c.at_ms >= since_ms, answers.c.at_ms < until_ms)
        with self._database.read() as connection:
            bodies = connection.execute(query.order_by(answers.c.at_ms.desc()).limit(limit)).scalars()
            return [from_json(body, AnswerRow) for body in bodies]

    def send(self, connection: Connection, topic: str, key: str, value: bytes) -> None:
        """Put a record into the outbox, in the transaction of what it tells."""
        text = base64.b64encode(value).decode()
        connection.execute(outbox.insert().values(topic=topic, key=key, value=text))

    def unsent(self, limit: int = 100) -> list[Waiting]:
        """What waits for the broker, in order."""
        query = select(outbox.c.number, outbox.c.topic, outbox.c.key, outbox.c.value).order_by(outbox.c.number)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [Waiting(row.number, row.topic, row.key, base64.b64decode(row.value)) for row in rows]

    def sent(self, numbers: Sequence[int]) -> None:
        """The broker has these."""
        with self._database.write() as connection:
            connection.execute(delete(outbox).where(outbox.c.number.in_(numbers)))

    def unsent_count(self) -> int:
        """How much waits for the broker."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(outbox)).scalar_one())
