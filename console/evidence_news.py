"""What the evidence process tells: a clip that is there shows in open pages at once, a deletion stands in the audit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from bus.errors import BusError
from bus.presence import wait_for_topics
from bus.reader import Reader
from console.hub import Hub
from console.store.audit import AuditAction
from console.store.store import Store
from console.worker import Worker
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import EvidenceNote

log = logging.getLogger(__name__)

POLL_S = 0.25
RETRY_S = 2.0
FRESH_MS = 60_000
"""Older news is read again at each start, and is nothing that an open page waits for."""
DELETED: AuditAction = "evidence deleted"


class EvidenceNews(Worker):
    """One thread that reads the topic `evidence` from its beginning; what is in the audit is not written again."""

    def __init__(self, bootstrap: str, store: Store, hub: Hub, clock_ms: Callable[[], int]) -> None:
        super().__init__("evidence news")
        self._bootstrap = bootstrap
        self._store = store
        self._hub = hub
        self._clock_ms = clock_ms

    def take(self, notes: Sequence[EvidenceNote]) -> None:
        """Keep what is told; safe to be told again."""
        for note in notes:
            if note.kind == "deleted":
                self._audit(note)
        after_ms = self._clock_ms() - FRESH_MS
        self._hub.publish(self._store.alerts.rows({note.alert for note in notes if note.at_ms >= after_ms}))

    def _audit(self, note: EvidenceNote) -> None:
        """The same deletion has the same time, however often it is told."""
        at_ms, subject, audit = note.at_ms, note.alert, self._store.audit
        details = {"why": note.why, "camera": note.camera, "site": note.site}
        with self._store.database.write() as connection:
            if not audit.has(connection, at_ms=at_ms, action=DELETED, subject=subject):
                audit.add(connection, at_ms=at_ms, who="", action=DELETED, subject=subject, details=details)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if wait_for_topics(self._bootstrap, {topics.EVIDENCE}, self._stop):
                    self._read()
            except (BusError, DBAPIError) as error:
                log.warning("news of evidence can't be read, again: %s", error)
                self._stop.wait(RETRY_S)
            except Exception:
                log.exception("reading news of evidence failed; it begins anew")
                self._stop.wait(RETRY_S)

    def _read(self) -> None:
        with Reader(self._bootstrap, topics.EVIDENCE) as reader:
            while not self._stop.is_set():
                notes = [note for record in reader.read(POLL_S) if (note := _note(record.value)) is not None]
                if notes:
                    self.take(notes)


def _note(value: bytes | None) -> EvidenceNote | None:
    """The note; what is none concerns only those who watch the topic's writer."""
    try:
        return decode(value or b"", EvidenceNote)
    except ContractError as error:
        log.warning("%s: %s", topics.EVIDENCE, error.reason)
        return None
