"""Alerts as they are kept: taken from the topic, found by filters page by page, counted, answered, let go."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, Select, delete, func, select, update

from console.store.database import Database
from console.store.find import Wanted, find
from console.store.names import Names
from console.store.people import People
from console.store.rows import (
    JUDGED,
    SEVERITIES,
    STATUSES,
    AlertRow,
    Cursor,
    Filter,
    Page,
    RevisionRow,
    Status,
)
from console.store.tables import DIMENSIONS, alert_people, alerts, holds, revisions, snoozes, suppressions
from console.store.words import MAX_WORDS, indexed, person_token, words_of
from contracts.decoding import from_json
from contracts.fields import QUESTION, Severity
from contracts.messages import Alert
from contracts.naming import NameOf, mention, named, nameless, spoken

MAX_PAGE = 500
MAX_COUNT = 1000
"""Counts stop there: a queue of a thousand open alerts needs no exact number."""

MAX_NAME = 200

_SHOWN = [column for column in alerts.c if column.name not in ("words", "body")]
_NAMED = ("camera", "zone", "rule", "kind", "label")


class Alerts:
    """The alerts of one database. What writes takes a connection, so that it is one transaction with its cause.

    Kept are people's ids; whatever is read to be shown has the names of those who are enrolled at that moment.
    """

    def __init__(self, database: Database, names: Names, people: People) -> None:
        self._database = database
        self._names = names
        self._people = people
        self._counts: dict[tuple[str, int], int] = {}
        self._counting = threading.Lock()

    def name_all(self, messages: Iterable[Alert]) -> None:
        """Give numbers to the names in `messages`; to be called before the transaction that puts them."""
        self._names.ensure(name for one in messages for name in _names_of(one).values())

    def put(self, connection: Connection, messages: Sequence[Alert], received_at_ms: int) -> list[AlertRow]:
        """Keep alerts; a revision that is here already, or older, changes nothing. Returns what is new or changed."""
        messages = self._as_kept(connection, messages)
        known = self._known(connection, [one.id for one in messages])
        quiet = {(row.rule, row.camera): row.until_ms for row in connection.execute(select(snoozes))}
        changed: dict[str, None] = {}
        for one in messages:
            before = known.get(one.id)
            if before is not None and before[1] >= one.revision:
                continue
            if before is None:
                snoozed = one.started_at_ms < quiet.get((one.rule, one.camera), 0)
                status: Status = "snoozed" if snoozed else "question" if one.kind == QUESTION else "open"
                number = self._insert(connection, one, received_at_ms, status)
            else:
                number = before[0]
                connection.execute(update(alerts).where(alerts.c.number == number).values(self._told(one)))
            self._link(connection, number, _about(one))
            connection.execute(
                revisions.insert(),
                {
                    "alert": number,
                    "revision": one.revision,
                    "state": one.state,
                    "at_ms": one.at_ms,
                    "why": _told_text(one.why),
                },
            )
            known[one.id] = (number, one.revision)
            changed[one.id] = None
        return self.rows_of(connection, list(changed))

    def _as_kept(self, connection: Connection, messages: Sequence[Alert]) -> list[Alert]:
        """Without names, and without a look at anybody who is not enrolled (any more)."""
        kept = [nameless(one) for one in messages]
        here = self._people.held(connection, [person for one in kept if (person := _about(one))])
        return [_unsealed(one) if _about(one) and _about(one) not in here else one for one in kept]

    def _link(self, connection: Connection, number: int, person: str) -> None:
        """An alert is about this person: so it is found when they are removed."""
        link = {"person": person, "alert": number}
        known = select(alert_people.c.alert).where(alert_people.c.person == person, alert_people.c.alert == number)
        if person and connection.execute(known).first() is None:
            connection.execute(alert_people.insert(), link)

    def unseal(self, connection: Connection, person: str) -> None:
        """No alert holds a look at this person any more: they are removed."""
        query = select(alerts.c.number, alerts.c.body).join(alert_people, alert_people.c.alert == alerts.c.number)
        for number, body in connection.execute(query.where(alert_people.c.person == person)).all():
            told = _unsealed(from_json(body, Alert))
            chosen = update(alerts).where(alerts.c.number == number)
            connection.execute(chosen.values(body=msgspec.json.encode(told).decode()))
        connection.execute(delete(alert_people).where(alert_people.c.person == person))

    def known_of(self, connection: Connection, ids: Sequence[str]) -> frozenset[str]:
        """Which of these alerts are here."""
        return frozenset(self._known(connection, ids))

    def page(
        self, filter: Filter, after: Cursor | None = None, limit: int = 50, cameras: frozenset[str] | None = None
    ) -> Page:
        """The alerts behind `after` that `filter` lets through, of `cameras` only (None: of all).

        In the queue's order: severity, then start, then arrival, the latest first.
        """
        wanted = self._wanted(filter, cameras)
        limit = max(1, min(limit, MAX_PAGE))
        if wanted is None:
            return Page(())
        with self._database.read() as connection:
            sqlite = self._database.is_sqlite
            wanted = self._also_by_name(connection, wanted)
            keys = find(connection, wanted, after, limit + 1, self._counts, sqlite=sqlite)
            query = select(*_SHOWN).where(alerts.c.number.in_([key[2] for key in keys[:limit]]))
            rows = {row.number: row for row in self._read(connection, query)}
        more = Cursor(*keys[limit - 1]) if len(keys) > limit else None
        # One that was deleted between the two questions is left out.
        return Page(tuple(rows[key[2]] for key in keys[:limit] if key[2] in rows), more)

    def get(self, alert_id: str) -> AlertRow | None:
        """One alert by its id."""
        with self._database.read() as connection:
            rows = self.rows_of(connection, [alert_id])
        return rows[0] if rows else None

    def rows(self, ids: Collection[str]) -> list[AlertRow]:
        """Alerts by their ids; unknown ones are left out."""
        with self._database.read() as connection:
            return self.rows_of(connection, list(ids))

    def body(self, alert_id: str) -> Alert | None:
        """The whole alert as its newest revision said it, with names."""
        with self._database.read() as connection:
            kept = self.body_of(connection, alert_id)
            if kept is None or kept.identity is None:
                return kept
            ids = [kept.identity.person_id, *(one.person_id for one in kept.identity.runners_up)]
            return named(kept, self._people.names_of(connection, ids))

    def history(self, alert_id: str) -> list[RevisionRow]:
        """Its revisions, oldest first."""
        shown = (revisions.c.revision, revisions.c.state, revisions.c.at_ms, revisions.c.why)
        query = select(*shown).join(alerts, alerts.c.number == revisions.c.alert).where(alerts.c.id == alert_id)
        with self._database.read() as connection:
            rows = [RevisionRow(*row) for row in connection.execute(query.order_by(revisions.c.revision))]
            name_of = self._people.named_in(connection, (row.why for row in rows))
        return [replace(row, why=spoken(row.why, name_of)) for row in rows]

    def open_counts(self, cameras: frozenset[str] | None = None) -> dict[Severity, int]:
        """How many open alerts there are of each severity; each count stops at MAX_COUNT."""
        wanted = self._wanted(Filter(statuses=("open",)), cameras)
        counts: dict[Severity, int] = dict.fromkeys(SEVERITIES, 0)
        if wanted is None:
            return counts
        with self._database.read() as connection:
            for number, severity in enumerate(SEVERITIES):
                conditions = [alerts.c[name].in_(values) for name, values in wanted.dimensions.items()]
                some = select(alerts.c.number).where(alerts.c.severity == number, *conditions).limit(MAX_COUNT)
                counts[severity] = connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
        return counts

    def rows_of(self, connection: Connection, ids: Sequence[str], *, by_id: bool = False) -> list[AlertRow]:
        """Alerts by their ids, in the order of `ids`; unknown ones are left out. `by_id`: as they are kept."""
        query = select(*_SHOWN).where(alerts.c.id.in_(ids))
        found = {row.id: row for row in self._read(connection, query, by_id=by_id)}
        return [found[one] for one in ids if one in found]

    def body_of(self, connection: Connection, alert_id: str) -> Alert | None:
        """The whole alert as it is kept, without names, in the caller's transaction."""
        body = connection.execute(select(alerts.c.body).where(alerts.c.id == alert_id)).scalar_one_or_none()
        return from_json(body, Alert) if body is not None else None

    def waiting(self, severity: Severity, before_ms: int, limit: int = 100) -> list[AlertRow]:
        """Open alerts that came before `before_ms` and were not escalated yet, the oldest first."""
        query = select(*_SHOWN).where(
            alerts.c.severity == SEVERITIES.index(severity),
            alerts.c.received_at_ms < before_ms,
            alerts.c.status == 0,
            alerts.c.escalated_at_ms == 0,
        )
        with self._database.read() as connection:
            return self._read(connection, query.order_by(alerts.c.received_at_ms).limit(limit))

    def forget(self, before_ms: int, now_ms: int, limit: int = 1000) -> int:
        """Delete `limit` alerts that began before `before_ms`, with revisions and answers; returns how many.

        Those that a case holds stay, and those whose answer silences something now: nobody could take it back any more.
        """
        running = (suppressions.c.ended_at_ms == 0, suppressions.c.until_ms > now_ms)
        old = select(alerts.c.number).where(alerts.c.started_at_ms < before_ms).order_by(alerts.c.started_at_ms)
        for kept in (select(holds.c.alert), select(suppressions.c.alert).where(*running)):
            old = old.where(alerts.c.number.not_in(kept))
        with self._database.write() as connection:
            numbers = list(connection.execute(old.limit(limit)).scalars())
            connection.execute(delete(alerts).where(alerts.c.number.in_(numbers)))
        return len(numbers)

    def count_dimensions(self) -> None:
        """Look how many alerts each camera, zone, status ... has: what `page` chooses its index by. Now and then."""
        with self._counting, self._database.read() as connection:
            for name in DIMENSIONS:
                query = select(alerts.c[name], func.count()).group_by(alerts.c[name])
                self._counts |= {(name, value): count for value, count in connection.execute(query)}

    def _wanted(self, filter: Filter, cameras: frozenset[str] | None) -> Wanted | None:
        """The filter in numbers; None when nothing can match."""
        chosen = filter.cameras
        if cameras is not None:
            chosen = tuple(camera for camera in filter.cameras or sorted(cameras) if camera in cameras)
            if not chosen:
                return None
        given = (chosen, filter.zones, filter.rules, filter.kinds, filter.labels)
        dimensions: dict[str, tuple[int, ...]] = {}
        for name, values in zip(_NAMED, given, strict=True):
            if values:
                dimensions[name] = tuple(number for one in values if (number := self._names.number(one)) is not None)
        if filter.statuses:
            dimensions["status"] = tuple(STATUSES.index(one) for one in dict.fromkeys(filter.statuses))
        if filter.verdicts:
            dimensions["verdict"] = tuple(JUDGED.index(one) for one in dict.fromkeys(filter.verdicts))
        persons = tuple(one for one in filter.persons if "\0" not in one)  # PostgreSQL can't even be asked for it
        if not all(dimensions.values()) or bool(persons) != bool(filter.persons):
            return None
        severities = tuple(SEVERITIES.index(one) for one in dict.fromkeys(filter.severities or SEVERITIES))
        words = tuple((word,) for word in dict.fromkeys(words_of(filter.text)))[:MAX_WORDS]
        if filter.text.strip() and not words:
            return None
        return Wanted(dimensions, severities, filter.since_ms, filter.until_ms, words, persons)

    def _also_by_name(self, connection: Connection, wanted: Wanted) -> Wanted:
        """Alerts hold ids: a word that may be of a name also stands for whose it is."""
        words = tuple((word, *map(person_token, self._people.called(connection, word))) for word, *_ in wanted.words)
        return dataclasses.replace(wanted, words=words)

    def _known(self, connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        query = select(alerts.c.id, alerts.c.number, alerts.c.revision).where(alerts.c.id.in_(ids))
        return {row.id: (row.number, row.revision) for row in connection.execute(query)}

    def _insert(self, connection: Connection, one: Alert, received_at_ms: int, status: Status) -> int:
        answered = {
            "status": STATUSES.index(status),
            "verdict": 0,
            "received_at_ms": received_at_ms,
            "acknowledged_at_ms": 0,
            "acknowledged_by": "",
            "escalated_at_ms": 0,
            "assigned_to": "",
        }
        values = {"id": one.id, **self._told(one), **answered}
        number: int = connection.execute(alerts.insert().values(values).returning(alerts.c.number)).scalar_one()
        return number

    def _told(self, one: Alert) -> dict[str, object]:
        """The columns that the message sets, also when a later revision comes."""
        named = _names_of(one)
        dimensions = {name: self._names.known(value) for name, value in named.items()}
        return {
            **dimensions,
            "revision": one.revision,
            "state": one.state,
            "site": one.site,
            "severity": SEVERITIES.index(one.severity),
            "started_at_ms": one.started_at_ms,
            "at_ms": one.at_ms,
            "ended_at_ms": one.ended_at_ms,
            "why": _told_text(one.why),
            "score": one.score,
            "late": one.late,
            "picture": one.evidence is not None,
            "words": indexed([spoken(one.why, person_token), *named.values()], dimensions),
            "body": msgspec.json.encode(one).decode(),
        }

    def _read(self, connection: Connection, query: Select[*tuple[Any, ...]], *, by_id: bool = False) -> list[AlertRow]:
        """What a query for _SHOWN finds, as it is shown."""
        found = connection.execute(query).all()
        name_of = mention if by_id else self._people.named_in(connection, (row.why for row in found))
        links = select(alert_people).where(alert_people.c.alert.in_([row.number for row in found]))
        about = {link.alert: link.person for link in connection.execute(links)}
        return [self._row(row, name_of, about.get(row.number, "")) for row in found]

    def _row(self, row: Row[*tuple[Any, ...]], name_of: NameOf, person: str) -> AlertRow:
        values = row._mapping
        named = {name: self._names.name(values[name]) for name in _NAMED}
        plain = {name: value for name, value in values.items() if name not in (*_NAMED, "picture")}
        coded = {
            "severity": SEVERITIES[row.severity],
            "status": STATUSES[row.status],
            "verdict": JUDGED[row.verdict],
            "why": spoken(row.why, name_of),
            "person": person,
            "snapshot": f"/api/alerts/{row.id}/snapshot" if row.picture else "",
        }
        return AlertRow(**{**plain, **named, **coded})


def unfit(one: Alert) -> str:
    """Why an alert that decodes can't be kept ("" where it can): what is beyond the columns of every database."""
    for name, value in {"id": one.id, "site": one.site, **_names_of(one)}.items():
        if len(value) > MAX_NAME:
            return f"{name} has {len(value)} characters, at most {MAX_NAME} can be kept"
        if "\0" in value:
            return f"{name} holds a zero byte"
    if not one.id:
        return "id is empty"
    return "" if 0 <= one.revision < 2**31 else f"revision {one.revision} is out of range"


def _about(one: Alert) -> str:
    """The id of the enrolled person whom an alert is about."""
    person = one.identity.person_id if one.identity else ""
    return person if len(person) <= MAX_NAME and "\0" not in person else ""


def _unsealed(one: Alert) -> Alert:
    return replace(one, identity=replace(one.identity, sealed=b"")) if one.identity else one


def _told_text(text: str) -> str:
    """PostgreSQL takes no zero bytes."""
    return text.replace("\0", "\ufffd")


def _names_of(one: Alert) -> dict[str, str]:
    return {"camera": one.camera, "zone": one.zone, "rule": one.rule, "kind": one.kind, "label": one.label}
