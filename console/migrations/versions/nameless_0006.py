"""Alerts and what is told of them hold people's ids, no names; of people who are removed nothing is left."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ALERTS = sa.table("alerts", *map(sa.column, ("number", "id", "why", "words", "body")))
REVISIONS = sa.table("revisions", *map(sa.column, ("alert", "revision", "why")))
NOTIFICATIONS = sa.table("notifications", *map(sa.column, ("number", "alert", "title")))
LINKS = sa.table("alert_people", *map(sa.column, ("person", "alert")))
PEOPLE = sa.table("people", *map(sa.column, ("id", "name")))


def upgrade() -> None:
    """Rewrite the alerts that name somebody; a link is left to whom an alert is about."""
    connection = op.get_bind()
    linked = sa.select(ALERTS).where(ALERTS.c.number.in_(sa.select(LINKS.c.alert)))
    for row in connection.execute(linked).all():
        body = json.loads(row.body)
        said = body.get("identity") or {}
        about = said.get("person_id", "")
        connection.execute(sa.delete(LINKS).where(LINKS.c.alert == row.number, LINKS.c.person != about))
        ids = {one["name"]: one["person_id"] for one in (*said.get("runners_up", ()), said) if one.get("name")}
        if ids:
            _rewrite(connection, row, body, ids)
    connection.execute(sa.delete(PEOPLE).where(PEOPLE.c.name == ""))


def _rewrite(connection: sa.Connection, row: Any, body: dict[str, Any], ids: dict[str, str]) -> None:
    for one in (body["identity"], *body["identity"].get("runners_up", ())):
        one["name"] = ""
    for one in body.get("trace", ()):
        one |= {key: _by_id(one[key], ids) for key in ("wanted", "got")}
    body["why"] = _by_id(body.get("why", ""), ids)
    gone = {word for name in ids for word in _words(name)}
    words = [word for word in row.words.split() if word not in gone]
    words += ["xxp" + "".join(_words(person)) for person in ids.values()]
    values = {"why": _by_id(row.why, ids), "words": " ".join(words), "body": json.dumps(body)}
    connection.execute(sa.update(ALERTS).where(ALERTS.c.number == row.number).values(values))
    for told in connection.execute(sa.select(REVISIONS).where(REVISIONS.c.alert == row.number)).all():
        which = (REVISIONS.c.alert == told.alert, REVISIONS.c.revision == told.revision)
        connection.execute(sa.update(REVISIONS).where(*which).values(why=_by_id(told.why, ids)))
    for told in connection.execute(sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.alert == row.id)).all():
        title = {"title": _by_id(told.title, ids)}
        connection.execute(sa.update(NOTIFICATIONS).where(NOTIFICATIONS.c.number == told.number).values(title))


def _by_id(text: str, ids: dict[str, str]) -> str:
    for name in sorted(ids, key=len, reverse=True):
        text = text.replace(name, f"person/{ids[name]}")
    return text


def _words(said: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", said.casefold())
    return re.findall(r"[^\W_]+", "".join(one for one in plain if not unicodedata.combining(one)))
