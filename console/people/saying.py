"""What operators say of who an alert is about: "not this person", "this is X", and taking the first back."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from archive.people import FaceModels
from console.answers import NoAlertError, keep
from console.hub import Change, Hub
from console.people.errors import NobodyError, RefusedPictureError
from console.people.register import Register
from console.people.sealing import PersonKeys, half, sealed_denial, told_denial
from console.people.sources import FromAlert, Sources
from console.people.views import PersonDetail
from console.rights import Who
from console.store.people import DenialRow
from console.store.rows import AlertRow, AnswerRow
from console.store.store import Store
from contracts.fields import Answer
from contracts.messages import Alert
from contracts.people import RemovedPerson

MAX_DENIALS = 100
"""Of one person: of whom so many looks were wrong the pictures are bad. The oldest goes for a new one."""


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A denial: with `id` and `person_id` it can be taken back."""

    id: str
    person_id: str
    alert: str


class Saying:
    """Answers about identity. Each is one transaction: denial or picture, answer, feedback, audit, message."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        register: Register,
        sources: Sources,
        keys: PersonKeys,
        models: FaceModels,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._hub = hub
        self._register = register
        self._sources = sources
        self._keys = keys
        self._models = models
        self._clock_ms = clock_ms
        self._wake = wake

    def deny(self, who: Who, alert_id: str) -> Denied:
        """This look is not the person whom the alert names; the same again changes nothing.

        Raises NoAlertError, NobodyError where the alert names nobody who is enrolled, or the look can't be read any
        more, ForbiddenError, PeopleOffError.
        """
        row, alert = self._alert(who, alert_id)
        who.need("answer", row.camera)
        said = alert.identity
        if said is None or not said.person_id:
            raise NobodyError("this alert names nobody")
        look = self._sources.vector_of(said)
        now_ms, denial_id = self._clock_ms(), str(uuid.uuid4())
        with self._store.database.write() as connection:
            wrapped = self._store.people.key(connection, f"person/{said.person_id}")
            if wrapped is None:
                raise NobodyError("whom this alert is about is not enrolled (any more)")
            if look is None:
                raise NobodyError("what was seen of this face can't be read any more: the key of its day is gone")
            before = self._store.people.denials(connection, said.person_id)
            for known in before:
                if known.alert == alert_id:
                    return Denied(id=known.id, person_id=known.person, alert=alert_id)
            for oldest in before[: max(0, len(before) - MAX_DENIALS + 1)]:
                self._drop(connection, oldest, now_ms)
            key = self._keys.open(said.person_id, wrapped)
            denial = DenialRow(
                id=denial_id,
                person=said.person_id,
                model=self._models.manifest.id,
                sealed=sealed_denial(key, denial_id, half(look.vector)),
                alert=alert_id,
                camera=row.camera,
                version=now_ms,
                at_ms=now_ms,
                who=who.name,
            )
            self._store.people.add_denial(connection, denial)
            self._register.tell(connection, told_denial(denial), denial.version)
            keep(self._store, connection, row, _said(who, row, "not_person", said.person_id, now_ms))
        self._tell(row, "not_person")
        return Denied(id=denial_id, person_id=said.person_id, alert=alert_id)

    def undo(self, who: Who, person_id: str, denial_id: str) -> None:
        """The look counts as before; raises NobodyError, ForbiddenError."""
        now_ms = self._clock_ms()
        with self._store.database.write() as connection:
            rows = self._store.people.denials(connection, person_id) if "\0" not in person_id else []
            denial = next((one for one in rows if one.id == denial_id and who.sees(one.camera)), None)
            if denial is None:
                raise NobodyError("there is no such denial")
            who.need("answer", denial.camera)
            self._drop(connection, denial, now_ms)
            found = self._store.alerts.rows_of(connection, [denial.alert])
            for row in found:
                keep(self._store, connection, row, _said(who, row, "denial_undone", person_id, now_ms))
            if not found:  # the alert is gone; the audit still says who did it
                details = {"denial": denial_id}
                self._store.audit.add(
                    connection,
                    at_ms=now_ms,
                    who=who.name,
                    action="denial_undone",
                    subject=f"person/{person_id}",
                    details=details,
                )
        for row in found:
            self._tell(row, "denial_undone")
        self._wake()
        self._store.database.wipe(("denials", "outbox"))

    def _drop(self, connection: Connection, denial: DenialRow, now_ms: int) -> None:
        self._store.people.remove_denial(connection, denial.id)
        gone = RemovedPerson(kind="denial", id=denial.id)
        self._register.tell(connection, gone, max(now_ms, denial.version + 1))

    def this_is(self, who: Who, alert_id: str, person_id: str, *, sure: bool = False) -> PersonDetail:
        """The alert's face is one more picture of that person, if it is good enough.

        Raises NoAlertError, NobodyError, RefusedPictureError, ForbiddenError, PeopleOffError.
        """
        self._register.need_all("enrol", who)
        who.need("answer")
        row, _ = self._alert(who, alert_id)
        now_ms = self._clock_ms()
        examined = self._sources.examine(who, FromAlert(alert_id), now_ms)
        refusal = examined.refusal
        if examined.candidate is not None and refusal is None:
            refusal = self._register.refusal(examined.candidate, person_id=person_id, sure=sure)
            if refusal is not None:
                self._register.compared(who, f"alert/{alert_id}", refusal)
        if refusal is not None or examined.candidate is None:
            assert refusal is not None
            raise RefusedPictureError(refusal)
        with self._store.database.write() as connection:
            source = f"alert/{alert_id}"
            detail = self._register.add_in(connection, who, person_id, examined.candidate, source)
            keep(self._store, connection, row, _said(who, row, "is_person", person_id, now_ms))
        self._tell(row, "is_person")
        return detail

    def denial_of(self, alert_id: str, person_id: str) -> Denied | None:
        """The denial that an alert's look has already."""
        with self._store.database.read() as connection:
            for one in self._store.people.denials(connection, person_id):
                if one.alert == alert_id:
                    return Denied(id=one.id, person_id=person_id, alert=alert_id)
        return None

    def _alert(self, who: Who, alert_id: str) -> tuple[AlertRow, Alert]:
        clean = "\0" not in alert_id
        row, alert = (self._store.alerts.get(alert_id), self._store.alerts.body(alert_id)) if clean else (None, None)
        if row is None or alert is None or not who.sees(row.camera):
            raise NoAlertError("there is no such alert")
        return row, alert

    def _tell(self, row: AlertRow, answer: Answer) -> None:
        """Whoever has the alert open sees its new history."""
        self._wake()
        self._hub.changed([Change(row, row, answer)])


def _said(who: Who, row: AlertRow, action: Answer, person_id: str, now_ms: int) -> AnswerRow:
    return AnswerRow(
        id=str(uuid.uuid4()), alert=row.id, operator=who.name, at_ms=now_ms, action=action, person_id=person_id
    )
