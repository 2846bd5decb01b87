"""Finds a page of alerts by key: which index leads, and what is asked of it.

The order is severity, then start, then arrival, all descending. With one severity given, each index of a dimension
(value, severity, start, arrival, all the rest) holds its alerts in that order and everything that filters look at. So a
page is read severity by severity from the index of the dimension whose wanted values are rarest: what is passed over
is never more than the rarest dimension has, and costs no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, text, union_all

from console.store.rows import SEVERITIES, AlertRow, Cursor, Filter
from console.store.tables import alert_people, alerts
from console.store.words import having, matching, words_of

Key = tuple[int, int, int]
"""(severity, started_at_ms, number) of one alert."""

MANY_VALUES = 64
"""A dimension with more wanted values doesn't lead: that would be as many look-ups in its index."""

PROBE = 2000
"""So many alerts are looked at first: frequent words are met among them, and the index of words would list them all."""

FEW_FOUND = 3000
"""So many alerts found by words are read and sorted; more are so dense that the leading index meets them soon."""

MOST_PASSED = 16_000
"""So many alerts are looked at at once on the way there."""

UNINDEXED = ("status", "verdict")
"""What the index of words doesn't know of an alert: it changes by answers."""


@dataclass(frozen=True)
class Wanted:
    """A filter in the table's own numbers."""

    dimensions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    severities: tuple[int, ...] = tuple(range(len(SEVERITIES)))
    since_ms: int = 0
    until_ms: int = 0
    words: tuple[tuple[str, ...], ...] = ()
    """Of each, one has to be there."""
    people: tuple[str, ...] = ()
    """The alert is about one of them."""


def lets_through(filter: Filter, row: AlertRow) -> bool:
    """Whether `find` would find this alert: for alerts that come while a list is shown."""
    chosen = (
        (filter.cameras, row.camera),
        (filter.zones, row.zone),
        (filter.rules, row.rule),
        (filter.kinds, row.kind),
        (filter.labels, row.label),
        (filter.persons, row.person),
        (filter.severities, row.severity),
        (filter.statuses, row.status),
        (filter.verdicts, row.verdict),
    )
    since = row.started_at_ms >= filter.since_ms and (not filter.until_ms or row.started_at_ms < filter.until_ms)
    if not since or any(values and value not in values for values, value in chosen):
        return False
    if not filter.text.strip():
        return True
    said = words_of(" ".join((row.why, row.camera, row.zone, row.rule, row.kind, row.label)))
    wanted = words_of(filter.text)
    return bool(wanted) and all(any(word.startswith(one) for word in said) for one in wanted)


def find(
    connection: Connection,
    wanted: Wanted,
    after: Cursor | None,
    limit: int,
    counts: Mapping[tuple[str, int], int],
    *,
    sqlite: bool,
) -> list[Key]:
    """The keys of the first `limit` alerts behind `after`. `counts` says how many alerts a dimension's value has."""
    plain = replace(wanted, words=())
    if wanted.people:
        about = connection.scalars(_about(wanted.people).limit(FEW_FOUND + 1)).all()
        if len(about) <= FEW_FOUND:
            return _of_people(connection, about, wanted, after, limit, sqlite=sqlite)
    if not wanted.words:
        return _in_order(connection, plain, after, limit, counts, sqlite=sqlite)
    if not sqlite:
        # Words that are frequent one by one and never meet: it would read the whole table for the first few of many.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    keys: list[Key] = []
    look = PROBE
    while True:
        passed = _in_order(connection, plain, after, look, counts, sqlite=sqlite)
        has = set(connection.scalars(having([key[2] for key in passed], wanted.words, sqlite=sqlite)))
        keys += [key for key in passed if key[2] in has]
        if len(keys) >= limit or len(passed) < look:
            return keys[:limit]
        if look == PROBE:
            narrowed = {name: values for name, values in wanted.dimensions.items() if name not in UNINDEXED}
            found = connection.scalars(matching(wanted.words, narrowed, sqlite=sqlite).limit(FEW_FOUND + 1)).all()
            if len(found) <= FEW_FOUND:
                return (keys + _of_these(connection, found, plain, Cursor(*passed[-1]), limit))[:limit]
        after, look = Cursor(*passed[-1]), min(2 * look, MOST_PASSED)


def _of_people(
    connection: Connection, numbers: Sequence[int], wanted: Wanted, after: Cursor | None, limit: int, *, sqlite: bool
) -> list[Key]:
    """The first `limit` of the few alerts about somebody."""
    plain = replace(wanted, words=())
    if not wanted.words:
        return _of_these(connection, numbers, plain, after, limit)
    has = connection.scalars(having(numbers, wanted.words, sqlite=sqlite)).all()
    return _of_these(connection, has, plain, after, limit)


def _about(people: Sequence[str]) -> Select[int]:
    """Numbers of the alerts that are about one of these people."""
    return select(alert_people.c.alert).where(alert_people.c.person.in_(people))


def _in_order(
    connection: Connection,
    wanted: Wanted,
    after: Cursor | None,
    limit: int,
    counts: Mapping[tuple[str, int], int],
    *,
    sqlite: bool,
) -> list[Key]:
    """Severity by severity from the leading index."""
    leading = _leading(wanted.dimensions, counts)
    keys: list[Key] = []
    for severity in sorted(wanted.severities, reverse=True):
        if after is not None and severity > after.severity:
            continue
        behind = after if after is not None and severity == after.severity else None
        query = _of_severity(wanted, leading, severity, behind, limit - len(keys), sqlite=sqlite)
        keys += [(severity, row[0], row[1]) for row in connection.execute(query)]
        if len(keys) >= limit:
            break
    return keys


def _leading(dimensions: Mapping[str, Sequence[int]], counts: Mapping[tuple[str, int], int]) -> str | None:
    """The dimension whose wanted values have the fewest alerts, as far as is known."""
    sizes = {
        name: sum(counts.get((name, value), 0) for value in values)
        for name, values in dimensions.items()
        if len(values) <= MANY_VALUES
    }
    return min(sizes, key=lambda name: sizes[name]) if sizes else None


def _of_severity(
    wanted: Wanted, leading: str | None, severity: int, behind: Cursor | None, limit: int, *, sqlite: bool
) -> Select[int, int]:
    """Starts and numbers of one severity's first `limit`, in order: those of each leading value, merged."""
    conditions = [alerts.c.severity == severity, *_conditions(wanted, leading)]
    if behind is not None:
        conditions.append(_behind(behind))
    values: tuple[int | None, ...] = wanted.dimensions[leading] if leading else (None,)
    parts = []
    for value in values:
        own = [alerts.c[leading] == value] if leading else []
        part = select(alerts.c.started_at_ms, alerts.c.number).where(*own, *conditions)
        if sqlite:  # without statistics it would guess
            part = part.with_hint(alerts, f"INDEXED BY alerts_by_{leading or 'order'}", "sqlite")
        parts.append(part.order_by(alerts.c.started_at_ms.desc(), alerts.c.number.desc()).limit(limit))
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(one.c.started_at_ms, one.c.number) for one in (part.subquery() for part in parts)))
    every = merged.subquery()
    ordered: Select[int, int] = select(every.c.started_at_ms, every.c.number)
    return ordered.order_by(every.c.started_at_ms.desc(), every.c.number.desc()).limit(limit)


def _of_these(
    connection: Connection, numbers: Sequence[int], wanted: Wanted, after: Cursor | None, limit: int
) -> list[Key]:
    """The first `limit` of these alerts that the rest of the filter lets through."""
    conditions = [
        alerts.c.number.in_(numbers),
        alerts.c.severity.in_(wanted.severities),
        *_conditions(wanted, None),
    ]
    if after is not None:
        same = and_(alerts.c.severity == after.severity, _behind(after))
        conditions.append(or_(alerts.c.severity < after.severity, same))
    keys = select(alerts.c.severity, alerts.c.started_at_ms, alerts.c.number).where(*conditions)
    order = (alerts.c.severity.desc(), alerts.c.started_at_ms.desc(), alerts.c.number.desc())
    return [(row[0], row[1], row[2]) for row in connection.execute(keys.order_by(*order).limit(limit))]


def _conditions(wanted: Wanted, leading: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        alerts.c[name].in_(values) for name, values in wanted.dimensions.items() if name != leading
    ]
    if wanted.since_ms:
        conditions.append(alerts.c.started_at_ms >= wanted.since_ms)
    if wanted.until_ms:
        conditions.append(alerts.c.started_at_ms < wanted.until_ms)
    if wanted.people:
        conditions.append(alerts.c.number.in_(_about(wanted.people)))
    return conditions


def _behind(cursor: Cursor) -> ColumnElement[bool]:
    """Later in the order, within one severity; the first part is what an index can begin at."""
    earlier = alerts.c.started_at_ms < cursor.started_at_ms
    return and_(alerts.c.started_at_ms <= cursor.started_at_ms, or_(earlier, alerts.c.number < cursor.number))
