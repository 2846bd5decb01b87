"""The audit: who did or looked at what, append-only, each entry chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

import msgspec
from sqlalchemy import Connection, select, text

from console.store.database import Database
from console.store.tables import audit
from contracts.fields import Answer

FIRST = "0" * 64
AT_ONCE = 1000
"""Entries that are in memory while the chain is followed: an audit only grows."""
_LOCK = 0x5EDE77E
"""PostgreSQL: entries are chained one after the other, whoever writes them."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `who` is "" for the console itself; `details` is JSON."""

    number: int
    at_ms: int
    who: str
    action: str
    subject: str
    details: str
    hash: str


AuditAction = (
    Answer
    | Literal[
        "accept",
        "add agent token",
        "add picture",
        "add token",
        "change account",
        "change arming",
        "change budget",
        "change camera",
        "change line",
        "change password",
        "change person",
        "change routes",
        "change rule",
        "change zone",
        "compare",
        "denial_undone",
        "enrol",
        "enrol agent",
        "evidence deleted",
        "explain",
        "export",
        "forget unknown",
        "invite",
        "live.watch",
        "login",
        "login refused",
        "logout",
        "look",
        "merge unknown",
        "model_gated",
        "model_promoted",
        "model_registered",
        "model_rolled_back",
        "notify",
        "notify test",
        "plan.remove",
        "plan.replace",
        "refuse agent",
        "remove account",
        "remove agent token",
        "remove person",
        "remove picture",
        "remove token",
        "renew agent",
        "renew pictures",
        "retention",
        "revoke agent",
        "search",
        "search.person",
        "silence",
        "silence ended",
        "snooze ended",
        "split unknown",
        "throw keys away",
        "try camera",
    ]
)
"""Everything that stands in the audit. An entry is for ever: a name is never changed, only added."""


class Audit:
    """The audit of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        connection: Connection,
        *,
        at_ms: int,
        who: str,
        action: AuditAction,
        subject: str,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Append an entry, in the transaction of what it tells."""
        if not self._database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        last = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
        number, before = (last.number + 1, last.hash) if last else (1, FIRST)
        entry = {
            "number": number,
            "at_ms": at_ms,
            "who": _plain(who),
            "action": action,
            "subject": _plain(subject),
            "details": json.dumps(dict(details or {}), ensure_ascii=True, sort_keys=True),
        }
        connection.execute(audit.insert().values(**entry, hash=_hash(before, entry)))

    def record(
        self, *, at_ms: int, who: str, action: AuditAction, subject: str, details: Mapping[str, object] | None = None
    ) -> None:
        """Append an entry that stands for itself: a look, a login."""
        with self._database.write() as connection:
            self.add(connection, at_ms=at_ms, who=who, action=action, subject=subject, details=details)

    def has(self, connection: Connection, *, at_ms: int, action: AuditAction, subject: str) -> bool:
        """Whether there is such an entry of that very time."""
        same = (audit.c.at_ms == at_ms, audit.c.action == action, audit.c.subject == _plain(subject))
        return connection.execute(select(audit.c.number).where(*same).limit(1)).first() is not None

    def page(self, *, before: int | None = None, limit: int = 100, who: str = "", action: str = "") -> list[AuditEntry]:
        """Entries below `before`, the latest first."""
        query = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        if who:
            query = query.where(audit.c.who == who)
        if action:
            query = query.where(audit.c.action == action)
        with self._database.read() as connection:
            return [AuditEntry(**row._mapping) for row in connection.execute(query)]

    def broken(self) -> int | None:
        """The first entry that is not as it was written or follows a missing one; None when all is well."""
        before, expected = FIRST, 1
        entries = select(audit).order_by(audit.c.number).execution_options(yield_per=AT_ONCE)
        with self._database.read() as connection, connection.execute(entries) as rows:
            for row in rows:
                entry = {name: value for name, value in row._mapping.items() if name != "hash"}
                if row.number != expected or row.hash != _hash(before, entry):
                    return expected
                before, expected = row.hash, row.number + 1
        return None


def _hash(before: str, entry: Mapping[str, object]) -> str:
    said = json.dumps([before, *(entry[name] for name in ("number", "at_ms", "who", "action", "subject", "details"))])
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(said: str) -> str:
    """PostgreSQL takes no zero bytes, and names come from whoever tries to log in."""
    return said.replace("\0", "\ufffd")[:1000]
