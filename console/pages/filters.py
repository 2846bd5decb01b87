"""What the queue is narrowed by, as it stands in the page's address, and as the store takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec

from console.store.rows import Filter, Status
from contracts.fields import Millis, Severity

Shown = Literal["todo", "questions", "answered", "snoozed", "all"]
Last = Literal["", "1h", "8h", "24h", "7d"]

STATUSES: dict[Shown, tuple[Status, ...]] = {
    "todo": ("open", "acknowledged"),
    "questions": ("question",),
    "answered": ("answered",),
    "snoozed": ("snoozed",),
    "all": (),
}
LAST_MS: dict[Last, int] = {"": 0, "1h": 3_600_000, "8h": 28_800_000, "24h": 86_400_000, "7d": 604_800_000}
LISTS = ("cameras", "zones", "rules", "labels", "persons")
MOST = 100
"""Values of one kind in an address: what is more was not made by the page."""


class Narrowed(msgspec.Struct, frozen=True, kw_only=True):
    """The queue's filter as the page shows it. `last` is relative to now and excludes `since_ms`, `until_ms`."""

    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    status: Shown = "todo"
    last: Last = ""
    since_ms: Millis | None = None
    until_ms: Millis | None = None
    text: str = ""

    def filter(self, now_ms: int) -> Filter:
        """For the store."""
        since_ms = now_ms - LAST_MS[self.last] if self.last else self.since_ms or 0
        return Filter(
            cameras=self.cameras,
            zones=self.zones,
            rules=self.rules,
            labels=self.labels,
            persons=self.persons,
            severities=self.severities,
            statuses=STATUSES[self.status],
            since_ms=since_ms,
            until_ms=0 if self.last else self.until_ms or 0,
            text=self.text[:200],
        )


def from_address(query: Iterable[tuple[str, str]]) -> Narrowed:
    """The filter in an address's query. What makes no sense is left out: addresses are typed and cut off by people."""
    given: dict[str, Any] = {}
    for name, value in query:
        if name in LISTS or (name == "severities" and value in get_args(Severity)):
            given[name] = (*given.get(name, ()), value)[:MOST]
        elif (name == "status" and value in STATUSES) or (name == "last" and value in LAST_MS) or name == "text":
            given[name] = value
        elif name in ("since_ms", "until_ms") and value.isascii() and value.isdecimal() and len(value) < 15:
            given[name] = int(value)
    return Narrowed(**given)
