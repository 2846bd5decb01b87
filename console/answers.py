"""What an operator may do with an alert: one function for pages, keys and API alike."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from sqlalchemy import Connection

from console.hub import Change, Hub
from console.rights import ForbiddenError, Permission, Who
from console.silencing import Silencing
from console.store.rows import AlertRow, AnswerRow
from console.store.store import Store
from contracts import fields, topics
from contracts.codec import encode
from contracts.errors import VedetteError
from contracts.messages import Alert, Evidence, Feedback

MINUTE_MS = 60_000
MAX_AT_ONCE = 500
Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Note = Annotated[str, Meta(max_length=4000)]
Person = Annotated[str, Meta(min_length=1, max_length=200)]
Case = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Acknowledge(msgspec.Struct, frozen=True, tag_field="action", tag="acknowledge"):
    """I have seen it and look after it."""


class Verdict(msgspec.Struct, frozen=True, tag_field="action", tag="verdict"):
    """It was right, wrong, or right and of no use. The latest verdict counts."""

    verdict: fields.Verdict


class Assign(msgspec.Struct, frozen=True, tag_field="action", tag="assign"):
    """Somebody is to look after it."""

    to: Person


class Escalate(msgspec.Struct, frozen=True, tag_field="action", tag="escalate"):
    """It is too much for me ("": to whoever is in charge)."""

    to: Annotated[str, Meta(max_length=200)] = ""
    note: Note = ""


class Comment(msgspec.Struct, frozen=True, tag_field="action", tag="comment"):
    """Something to know about it."""

    text: Text


class Snooze(msgspec.Struct, frozen=True, tag_field="action", tag="snooze"):
    """No more of this rule on this camera for a while: its alerts come, but are not in the queue."""

    minutes: Annotated[int, Meta(ge=1, le=7 * 24 * 60)]


class Hold(msgspec.Struct, frozen=True, tag_field="action", tag="hold"):
    """Its evidence is kept for a case, whatever retention says."""

    case: Case
    note: Note = ""


class Release(msgspec.Struct, frozen=True, tag_field="action", tag="release"):
    """That case needs its evidence no longer."""

    case: Case
    note: Note = ""


Action = Acknowledge | Verdict | Assign | Escalate | Comment | Snooze | Hold | Release


class NoAlertError(VedetteError):
    """There is no alert of that id, or none for this person."""


class NoPersonError(VedetteError):
    """An alert can't be given to somebody who isn't there or doesn't see its camera."""


def answer(
    store: Store,
    hub: Hub,
    who: Who,
    alert_id: str,
    action: Action,
    *,
    at_ms: int,
    answer_id: str = "",
    silencing: Silencing | None = None,
) -> AlertRow:
    """Do one thing with one alert; returns the alert as it is then. See `answer_all`."""
    done = answer_all(store, hub, who, [alert_id], action, at_ms=at_ms, answer_id=answer_id, silencing=silencing)
    return done[0]


def answer_all(
    store: Store,
    hub: Hub,
    who: Who,
    alert_ids: Sequence[str],
    action: Action,
    *,
    at_ms: int,
    answer_id: str = "",
    silencing: Silencing | None = None,
) -> list[AlertRow]:
    """Do one thing with alerts, all or none: alert, answer, audit, feedback and silence are one transaction.

    `answer_id` (only with one alert) makes it safe to ask again when no reply came: the second time changes nothing.
    `silencing` is what a verdict silences; without it nothing. Raises ForbiddenError, NoAlertError, NoPersonError.
    """
    with store.database.write() as connection:
        who = _still(store, connection, who)
        who.need(_needed(action))
        rows = store.alerts.rows_of(connection, list(dict.fromkeys(alert_ids))[:MAX_AT_ONCE])
        if not rows or len(rows) < len(set(alert_ids)) or not all(who.sees(row.camera) for row in rows):
            raise NoAlertError("there is no such alert")
        to = getattr(action, "to", "")
        if to:
            _person(store, connection, to, rows)
        given = answer_id if len(rows) == 1 else ""
        done = [
            write(store, connection, who.name, row, action, at_ms=at_ms, answer_id=given, silencing=silencing)
            for row in rows
        ]
        if silencing is not None and isinstance(action, Verdict):
            silencing.tell(store, connection, [row.camera for row in rows], at_ms)
    hub.changed([Change(*pair) for pair in zip(rows, done, strict=True)])
    return done


def write(
    store: Store,
    connection: Connection,
    operator: str,
    row: AlertRow,
    action: Action,
    *,
    at_ms: int,
    answer_id: str,
    silencing: Silencing | None = None,
) -> AlertRow:
    """Write one answer with all that follows; `operator` "" is the console itself. Rights were looked at before."""
    said = _said(row, operator, action, at_ms, answer_id or str(uuid.uuid4()))
    alert = keep(store, connection, row, said)
    if alert is None:
        return row
    if silencing is not None and said.verdict is not None:
        silencing.answered(store, connection, row, alert, said)
    after = changed(row, operator, action, at_ms)
    store.answers.change(connection, row, after)
    if isinstance(action, Snooze):
        store.answers.snooze(connection, row.rule, row.camera, said.until_ms, operator)
    if isinstance(action, Hold | Release):
        store.answers.hold(connection, row.number, action.case, said if isinstance(action, Hold) else None)
    if isinstance(action, Escalate):
        store.notifications.note(connection, [row.id], "escalated", at_ms)
    return after


def keep(
    store: Store, connection: Connection, row: AlertRow, said: AnswerRow, missed: Evidence | None = None
) -> Alert | None:
    """Keep an answer with its feedback and the audit's entry; its alert, None when one of its id is there already.

    `missed` is where something is of which the alert says nothing.
    """
    if not store.answers.add(connection, row.number, said):
        return None
    alert = store.alerts.body_of(connection, row.id)
    assert alert is not None
    feedback = _feedback(alert, said)
    if missed is not None:
        feedback = replace(feedback, label=said.label, evidence=missed, track_ids=(), score=0.0)
    store.answers.send(connection, topics.FEEDBACK, row.id, encode(feedback))
    told = ("verdict", "to", "text", "until_ms", "case", "person_id", "label")
    details = {name: value for name in told if (value := getattr(said, name))}
    store.audit.add(
        connection, at_ms=said.at_ms, who=said.operator, action=said.action, subject=row.id, details=details
    )
    return alert


def changed(row: AlertRow, operator: str, action: Action, at_ms: int) -> AlertRow:
    """The alert after an answer."""
    seen = replace(
        row,
        acknowledged_at_ms=row.acknowledged_at_ms or at_ms,
        acknowledged_by=row.acknowledged_by or operator,
        status="acknowledged" if row.status in ("open", "snoozed") else row.status,
    )
    match action:
        case Acknowledge():
            return seen
        case Verdict(verdict=verdict):
            return replace(seen, verdict=verdict, status="answered")
        case Assign(to=to):
            return replace(row, assigned_to=to)
        case Escalate(to=to):
            return replace(row, assigned_to=to or row.assigned_to, escalated_at_ms=at_ms)
        case Comment() | Hold() | Release():
            return row
        case Snooze():
            return replace(seen, status="snoozed" if row.status == "open" else row.status)


def _needed(action: Action) -> Permission:
    match action:
        case Snooze():
            return "snooze"
        case Hold() | Release():
            return "hold"
        case _:
            return "answer"


def _still(store: Store, connection: Connection, who: Who) -> Who:
    """The same person with today's rights: a page may be open for longer than an account lasts."""
    user = store.accounts.user_in(connection, who.name)
    if user is None or user.disabled:
        raise ForbiddenError(f"{who.name} has no account any more")
    return Who(user.name, user.role, None if user.cameras is None else frozenset(user.cameras), who.scopes)


def _person(store: Store, connection: Connection, name: str, rows: Sequence[AlertRow]) -> None:
    user = store.accounts.user_in(connection, name)
    if user is None or user.disabled:
        raise NoPersonError(f"there is nobody called {name}")
    for row in rows:
        if user.cameras is not None and row.camera not in user.cameras:
            raise NoPersonError(f"{name} may not see camera {row.camera}")


def _said(row: AlertRow, operator: str, action: Action, at_ms: int, answer_id: str) -> AnswerRow:
    said = AnswerRow(id=answer_id, alert=row.id, operator=operator, at_ms=at_ms, action="acknowledge")
    match action:
        case Acknowledge():
            return said
        case Verdict(verdict=verdict):
            return replace(said, action="verdict", verdict=verdict)
        case Assign(to=to):
            return replace(said, action="assign", to=to)
        case Escalate(to=to, note=note):
            return replace(said, action="escalate", to=to, text=_plain(note))
        case Comment(text=text):
            return replace(said, action="comment", text=_plain(text))
        case Snooze(minutes=minutes):
            return replace(said, action="snooze", until_ms=at_ms + minutes * MINUTE_MS)
        case Hold(case=case, note=note):
            return replace(said, action="hold", case=case, text=_plain(note))
        case Release(case=case, note=note):
            return replace(said, action="release", case=case, text=_plain(note))


def _plain(text: str) -> str:
    """PostgreSQL takes no zero bytes."""
    return text.replace("\0", "\ufffd")


def _feedback(alert: Alert, said: AnswerRow) -> Feedback:
    return Feedback(
        id=said.id,
        site=alert.site,
        camera=alert.camera,
        alert=alert.id,
        revision=alert.revision,
        action=said.action,
        operator=said.operator,
        at_ms=said.at_ms,
        verdict=said.verdict,
        to=said.to,
        text=said.text,
        until_ms=said.until_ms,
        case=said.case,
        started_at_ms=alert.started_at_ms,
        rule=alert.rule,
        rule_version=alert.rule_version,
        kind=alert.kind,
        label=alert.label,
        zone=alert.zone,
        score=alert.score,
        track_ids=alert.track_ids,
        evidence=alert.evidence,
        model=alert.model,
        config_version=alert.config_version,
        person_id=said.person_id,
        identity=alert.identity if said.person_id else None,
    )
