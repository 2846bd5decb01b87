"""A "false" or "nuisance" silences what comes again like it: made with the answer, undone with it, taken back, told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from console.changes import LEAD_MS
from console.rights import Who
from console.store.rows import AlertRow, AnswerRow
from console.store.store import Store
from console.store.suppressions import SuppressionRow
from contracts import controls, topics
from contracts.codec import encode
from contracts.config import Config, Period, Suppressions
from contracts.controls import Control, SetSuppressions
from contracts.errors import VedetteError
from contracts.messages import Alert
from contracts.suppressions import SUPPRESSIBLE, Suppression

DAY_MS = 86_400_000
MINUTES_A_DAY = 1440


class NoSuppressionError(VedetteError):
    """There is no such suppression in force, or none for this person."""


@dataclass(frozen=True)
class Silencing:
    """How answers silence at one site."""

    site: str
    time_zone: str
    config: Suppressions

    @classmethod
    def of(cls, config: Config) -> Silencing:
        """What the site's config says."""
        return cls(config.site.name, config.site.time_zone, config.console.suppressions)

    def answered(self, store: Store, connection: Connection, row: AlertRow, alert: Alert, said: AnswerRow) -> None:
        """What a verdict leads to, in its transaction: what an earlier one silenced is over, and this one may silence.

        `tell` is to follow for the alert's camera.
        """
        before = [one for one in store.suppressions.of_alert(connection, row.id) if one.in_force(said.at_ms)]
        self._end(store, connection, before, said.at_ms, said.operator, "answered anew")
        made = suppression_of(alert, said, self.time_zone, self.config)
        if made is None or said.verdict is None:
            return
        running = store.suppressions.running(connection, said.at_ms, row.camera)
        self._end(store, connection, running[: len(running) + 1 - self.config.most], said.at_ms, "", "too many")
        kept = SuppressionRow(camera=row.camera, verdict=said.verdict, operator=said.operator, body=made)
        store.suppressions.add(connection, row.number, kept)
        details = {"rule": made.rule, "camera": row.camera, "label": made.label, "until_ms": made.until_ms}
        store.audit.add(
            connection, at_ms=said.at_ms, who=said.operator, action="silence", subject=row.id, details=details
        )

    def tell(self, store: Store, connection: Connection, cameras: Iterable[str], at_ms: int) -> None:
        """Tell the jobs what is silenced on these cameras from now on, where there ever was anything."""
        for camera in sorted(set(cameras)):
            changed_at_ms = store.suppressions.changed_at_ms(connection, camera)
            if not changed_at_ms:
                continue
            running = store.suppressions.running(connection, at_ms, camera)
            change = SetSuppressions(camera=camera, suppressions=tuple(one.body for one in running))
            control = Control(
                site=self.site,
                origin="console",
                version=max(at_ms, changed_at_ms),
                effective_from_ms=at_ms + LEAD_MS,
                change=change,
            )
            store.answers.send(connection, topics.CONTROLS, controls.key(change), encode(control))

    def lift(self, store: Store, connection: Connection, row: SuppressionRow, who: str, at_ms: int) -> None:
        """What was silenced alerts again."""
        self._end(store, connection, [row], at_ms, who, "taken back")
        self.tell(store, connection, [row.camera], at_ms)

    def _end(
        self, store: Store, connection: Connection, rows: Iterable[SuppressionRow], at_ms: int, by: str, why: str
    ) -> None:
        for one in rows:
            store.suppressions.end(connection, [one.body.id], max(at_ms, one.body.made_at_ms + 1), by)
            details = {"rule": one.body.rule, "camera": one.camera, "why": why}
            store.audit.add(
                connection, at_ms=at_ms, who=by, action="silence ended", subject=one.body.alert, details=details
            )


class Silences:
    """What is silenced now, as people see it and take it back. `wake` is called when the outbox has something."""

    def __init__(
        self, store: Store, silencing: Silencing, clock_ms: Callable[[], int], wake: Callable[[], None]
    ) -> None:
        self.silencing = silencing
        self._store, self._clock_ms, self._wake = store, clock_ms, wake

    def running(self, who: Who) -> list[SuppressionRow]:
        """Those in force on the cameras that this person sees, the latest first."""
        return [one for one in reversed(self._store.suppressions.read(self._clock_ms())) if who.sees(one.camera)]

    def of_alert(self, alert_id: str) -> SuppressionRow | None:
        """The one in force that an answer to this alert made."""
        now_ms = self._clock_ms()
        with self._store.database.read() as connection:
            found = self._store.suppressions.of_alert(connection, alert_id)
        return next((one for one in reversed(found) if one.in_force(now_ms)), None)

    def lift(self, who: Who, suppression_id: str) -> SuppressionRow:
        """Take one back, with all that follows; raises ForbiddenError, NoSuppressionError."""
        now_ms = self._clock_ms()
        who.need("configure")
        with self._store.database.write() as connection:
            found = self._store.suppressions.get(connection, suppression_id)
            if found is None or not found.in_force(now_ms) or not who.sees(found.camera):
                raise NoSuppressionError("nothing is silenced by this any more")
            self.silencing.lift(self._store, connection, found, who.name, now_ms)
        self._wake()
        return found


def suppression_of(alert: Alert, said: AnswerRow, time_zone: str, config: Suppressions) -> Suppression | None:
    """What this answer silences; None for another answer, and where the alert is about no single thing in a picture."""
    seen = alert.evidence
    if not config.enabled or said.verdict not in ("false", "nuisance") or alert.kind not in SUPPRESSIBLE:
        return None
    if seen is None or seen.xyxy is None or not alert.model:
        return None
    x1, y1, x2, y2 = (
        min(1.0, max(0.0, value / side)) for value, side in zip(seen.xyxy, (seen.width, seen.height) * 2, strict=True)
    )
    return Suppression(
        id=said.id,
        alert=alert.id,
        rule=alert.rule,
        label=alert.label,
        xyxy=(x1, y1, x2, y2),
        model=alert.model,
        hours=hours_around(seen.captured_at_ms, time_zone, config.hours_around),
        made_at_ms=said.at_ms,
        until_ms=said.at_ms + round(config.keep_days * DAY_MS),
        embedding=seen.embedding,
    )


def hours_around(at_ms: int, time_zone: str, hours: float) -> Period:
    """The part of every day from so many hours before to as many after the local time of `at_ms`; 12: all of it."""
    if hours >= 12:
        return Period()
    local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(time_zone))
    minute, around = local.hour * 60 + local.minute, round(hours * 60)
    return Period(from_=_clock(minute - around), until=_clock(minute + around))


def _clock(minute: int) -> str:
    hours, minutes = divmod(minute % MINUTES_A_DAY, 60)
    return f"{hours:02}:{minutes:02}"
