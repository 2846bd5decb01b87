"""How many alerts there were, when and of what: the figures behind charts and the hand-over report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, func, select

from console.store.database import Database
from console.store.names import Names
from console.store.rows import JUDGED, SEVERITIES, Judged
from console.store.tables import alerts
from contracts.fields import QUESTION, Severity

Dimension = Literal["camera", "zone", "rule", "kind", "label"]


class Bucket(NamedTuple):
    """Alerts of one severity that began within one width of time."""

    start_ms: int
    severity: Severity
    alerts: int


class JudgedBucket(NamedTuple):
    """Alerts that began within one width of time, by verdict."""

    start_ms: int
    counts: dict[Judged, int]


class Judgement(NamedTuple):
    """Alerts of one camera, rule ... by verdict; `unanswered` are those without one."""

    name: str
    counts: dict[Judged, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def nuisance_share(self) -> float | None:
        """The part of the answered ones that nobody wanted (false or nuisance); None when none was answered."""
        return nuisance_share([self.counts])


def unwanted(counts: Mapping[Judged, int]) -> int:
    """How many nobody wanted: false ones and nuisances."""
    return counts.get("false", 0) + counts.get("nuisance", 0)


def nuisance_share(counts: Iterable[Mapping[Judged, int]]) -> float | None:
    """The unwanted part of those that were answered; None when none was."""
    all_counts = list(counts)
    answered = sum(sum(one.values()) - one.get("", 0) for one in all_counts)
    return sum(map(unwanted, all_counts)) / answered if answered else None


class Waits(NamedTuple):
    """How long alerts waited for somebody (s): the median and what one in twenty was slower than."""

    acknowledged: int
    median_s: float
    p95_s: float


class Load:
    """Reads the alerts of one database; `cameras` (None: all) limits each question to what somebody may see."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    def over_time(
        self, since_ms: int, until_ms: int, width_ms: int, cameras: frozenset[str] | None = None
    ) -> list[Bucket]:
        """Alerts by start, in buckets of `width_ms` counted from `since_ms`; empty ones are left out."""
        # `//` is a division of whole numbers in both databases, and none of these is negative.
        bucket = (alerts.c.started_at_ms - since_ms) // width_ms
        query = select(bucket.label("bucket"), alerts.c.severity, func.count().label("count"))
        query = query.where(*self._between(since_ms, until_ms, cameras)).group_by("bucket", alerts.c.severity)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by("bucket", alerts.c.severity)).all()
        return [Bucket(since_ms + int(row[0]) * width_ms, SEVERITIES[row[1]], row[2]) for row in rows]

    def judged_over_time(
        self, since_ms: int, until_ms: int, width_ms: int, cameras: frozenset[str] | None = None
    ) -> list[JudgedBucket]:
        """The same by verdict, a bucket once."""
        bucket = (alerts.c.started_at_ms - since_ms) // width_ms
        query = select(bucket.label("bucket"), alerts.c.verdict, func.count().label("count"))
        query = query.where(*self._between(since_ms, until_ms, cameras)).group_by("bucket", alerts.c.verdict)
        found: dict[int, dict[Judged, int]] = {}
        with self._database.read() as connection:
            for number, verdict, count in connection.execute(query.order_by("bucket", alerts.c.verdict)):
                found.setdefault(since_ms + int(number) * width_ms, {})[JUDGED[verdict]] = count
        return [JudgedBucket(start_ms, counts) for start_ms, counts in found.items()]

    def judged(
        self, dimension: Dimension, since_ms: int, until_ms: int, cameras: frozenset[str] | None = None
    ) -> list[Judgement]:
        """Alerts of each camera, rule ... by verdict, the most first."""
        column = alerts.c[dimension]
        query = select(column, alerts.c.verdict, func.count()).where(*self._between(since_ms, until_ms, cameras))
        found: dict[str, dict[Judged, int]] = {}
        with self._database.read() as connection:
            for number, verdict, count in connection.execute(query.group_by(column, alerts.c.verdict)):
                found.setdefault(self._names.name(number), {})[JUDGED[verdict]] = count
        made = [Judgement(name, counts) for name, counts in found.items()]
        return sorted(made, key=lambda one: (-one.total, one.name))

    def waits(self, since_ms: int, until_ms: int, cameras: frozenset[str] | None = None) -> Waits:
        """Time from arrival to acknowledgement of the alerts that began then and were acknowledged."""
        waited = alerts.c.acknowledged_at_ms - alerts.c.received_at_ms
        query = select(waited).where(*self._between(since_ms, until_ms, cameras), alerts.c.acknowledged_at_ms > 0)
        with self._database.read() as connection:
            seconds = sorted(max(0, one) / 1000 for one in connection.execute(query).scalars())
        if not seconds:
            return Waits(0, 0.0, 0.0)
        return Waits(len(seconds), seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)])

    def _between(self, since_ms: int, until_ms: int, cameras: frozenset[str] | None) -> list[ColumnElement[bool]]:
        """Began then, and is no question: those are nobody's load, and no figure of how good alerts are."""
        conditions = [alerts.c.started_at_ms >= since_ms, alerts.c.started_at_ms < until_ms]
        question = self._names.number(QUESTION)
        if question is not None:
            conditions.append(alerts.c.kind != question)
        if cameras is not None:
            numbers = [number for one in sorted(cameras) if (number := self._names.number(one)) is not None]
            conditions.append(alerts.c.camera.in_(numbers))
        return conditions
