"""Rules that are snoozed on a camera, as people see them and end them before their time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from console.hub import Hub
from console.rights import Who
from console.store.store import Store
from contracts.errors import VedetteError


class NoSnoozeError(VedetteError):
    """That rule is not snoozed on that camera, or not for this person."""


class SnoozedRule(msgspec.Struct, frozen=True):
    """A rule that is quiet on a camera."""

    rule: str
    camera: str
    until_ms: int
    operator: str


class Snoozes:
    """What is snoozed now, and the way back."""

    def __init__(self, store: Store, hub: Hub, clock_ms: Callable[[], int]) -> None:
        self._store, self._hub, self._clock_ms = store, hub, clock_ms

    def running(self, who: Who) -> list[SnoozedRule]:
        """Those on the cameras that this person sees."""
        found = (SnoozedRule(*one) for one in self._store.answers.snoozed(self._clock_ms()))
        return [one for one in found if who.sees(one.camera)]

    def end(self, who: Who, rule: str, camera: str) -> None:
        """The rule's alerts come again from now on; raises ForbiddenError, NoSnoozeError.

        What goes on is to do again, as is what the snooze was said of; what came and ended meanwhile stays snoozed.
        """
        now_ms, store = self._clock_ms(), self._store
        who.need("snooze")
        if not who.sees(camera) or "\0" in rule + camera:
            raise NoSnoozeError("that rule is not snoozed on that camera")
        with store.database.write() as connection:
            until_ms = store.answers.end_snooze(connection, rule, camera, now_ms)
            if until_ms is None:
                raise NoSnoozeError("that rule is not snoozed on that camera any more")
            ids = store.answers.kept_quiet(connection, rule, camera, until_ms)
            before = store.alerts.rows_of(connection, ids)
            after = [replace(row, status="acknowledged" if row.acknowledged_at_ms else "open") for row in before]
            for pair in zip(before, after, strict=True):
                store.answers.change(connection, *pair)
            details = {"rule": rule, "camera": camera, "until_ms": until_ms}
            store.audit.add(
                connection, at_ms=now_ms, who=who.name, action="snooze ended", subject=rule, details=details
            )
        self._hub.publish(after)
