"""What the store hands out: alerts as the queue, the API and the hub carry them, filters and pages."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.errors import VedetteError
from contracts.fields import Answer, Severity, Verdict

Status = Literal["open", "acknowledged", "answered", "snoozed", "question"]
Judged = Literal["", "true", "false", "nuisance"]

SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "answered", "snoozed", "question")
JUDGED: tuple[Judged, ...] = ("", "true", "false", "nuisance")
"""The place of a value in these is its number in the table."""

Millis = Annotated[int, Meta(ge=0, le=2**62)]


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as a list shows it. `number` counts arrivals; `snapshot` is the picture's path in the API, or "".

    `person` is the id of the enrolled person whom it is about, or "".
    """

    number: int
    id: str
    revision: int
    state: Literal["new", "update", "end"]
    site: str
    camera: str
    zone: str
    rule: str
    kind: str
    label: str
    severity: Severity
    status: Status
    verdict: Judged
    started_at_ms: int
    at_ms: int
    ended_at_ms: int
    received_at_ms: int
    acknowledged_at_ms: int
    acknowledged_by: str
    escalated_at_ms: int
    assigned_to: str
    why: str
    score: float
    late: bool
    snapshot: str
    person: str = ""


class RevisionRow(msgspec.Struct, frozen=True):
    """One revision of an alert, as its history shows it."""

    revision: int
    state: str
    at_ms: int
    why: str


class AnswerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of an operator ("" is the console itself)."""

    id: str
    alert: str
    operator: str
    at_ms: int
    action: Answer
    verdict: Verdict | None = None
    to: str = ""
    text: str = ""
    until_ms: int = 0
    case: str = ""
    person_id: str = ""
    label: str = ""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts: empty means all. `since_ms` is the first start that counts, `until_ms` the first that doesn't.

    `text` finds alerts that have words beginning with each of its words in what they say, or in one of their names.
    """

    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    statuses: tuple[Status, ...] = ()
    verdicts: tuple[Judged, ...] = ()
    since_ms: Millis = 0
    until_ms: Millis = 0
    text: str = ""


class CursorError(VedetteError):
    """Text that is no cursor."""


class Cursor(msgspec.Struct, frozen=True):
    """The last alert of a page: the next begins behind it, whatever has come or gone since."""

    severity: int
    started_at_ms: int
    number: int

    def __str__(self) -> str:
        return f"{self.severity}.{self.started_at_ms}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """What `str` made of one; raises CursorError."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
            raise CursorError(f"`{text[:60]}` is no cursor")
        severity, started_at_ms, number = map(int, parts)
        return cls(min(severity, len(SEVERITIES) - 1), started_at_ms, number)


class Page(msgspec.Struct, frozen=True):
    """Alerts in the queue's order, and where the next page begins (None: this was the last)."""

    rows: tuple[AlertRow, ...]
    next: Cursor | None = None
