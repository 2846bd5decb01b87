"""The register of people: enrolled, changed and removed; each change is one transaction with audit and message."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace
from sqlalchemy import Connection

from archive.people import Candidate, Enrolment, FaceModels, Refusal
from console.people.errors import NobodyError, RefusedPictureError
from console.people.gallery import Enrolled
from console.people.sealing import FaceSecret, PersonKeys, opened_face, sealed_face, told_denial, told_person
from console.people.views import DenialView, PersonDetail, PersonView, PictureView
from console.rights import ForbiddenError, Permission, Who
from console.store.audit import AuditAction
from console.store.people import NO_PICTURES, TRACES, FaceRow, PersonRow, Pictures
from console.store.store import Store
from contracts import topics
from contracts.codec import encode
from contracts.config import Config
from contracts.people import GalleryChange, GalleryContent, RemovedPerson, gallery_key
from contracts.topics import DAY_MS
from vault import Key

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Group = Annotated[str, Meta(max_length=100)]
MAX_PICTURES = 20
"""Of one person: more make the gallery larger, and hardly anybody better known."""


class Register:
    """The enrolled people. `wake` is called when the outbox has something for the jobs."""

    def __init__(
        self,
        store: Store,
        config: Config,
        keys: PersonKeys,
        models: FaceModels,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._site = config.site.name
        self._rate = config.faces.wanted_rate
        self._retention = config.faces.retention
        self._keys = keys
        self._models = models
        self._clock_ms = clock_ms
        self._wake = wake
        self._enrolled = Enrolled(store, keys)

    def people(self, who: Who, text: str = "", limit: int = 1000) -> list[PersonView]:
        """Those whose name or group holds `text`, by name, at most `limit`."""
        who.need("see_people")
        with self._store.database.read() as connection:
            kept = self._store.people
            rows = kept.all(connection, text.replace("\0", ""), limit)
            pictures, denials = kept.pictures(connection), kept.denial_counts(connection)
            return [self._view(row, pictures.get(row.id, NO_PICTURES), denials.get(row.id, 0)) for row in rows]

    def detail(self, who: Who, person_id: str) -> PersonDetail:
        """One person; raises NobodyError."""
        who.need("see_people")
        with self._store.database.read() as connection:
            return self._detail(connection, who, person_id)

    def picture(self, who: Who, person_id: str, face_id: str) -> bytes:
        """The JPEG of an enrolled picture, b"" for a look without one; each look is in the audit."""
        who.need("see_people")
        with self._store.database.read() as connection:
            row = self._face(connection, person_id, face_id)
            secret = self._opened(connection, row)
        self._store.audit.record(
            at_ms=self._clock_ms(),
            who=who.name,
            action="look",
            subject=f"person/{person_id}",
            details={"face": face_id},
        )
        return secret.jpeg

    def refusal(self, candidate: Candidate, *, person_id: str = "", sure: bool = False) -> Refusal | None:
        """Why a look can't be enrolled as somebody new, or as a further picture of `person_id`; None where it can.

        Raises PeopleOffError without a master key, ModelError where the embedder can't identify.
        """
        rules = Enrolment(self._models.calibration, self._rate)
        gallery = self._enrolled.gallery(self._models.manifest.id, self._models.cohort)
        return rules.refusal(candidate, gallery, person_id=person_id, sure=sure)

    def compared(self, who: Who, source: str, refusal: Refusal | None) -> None:
        """Somebody has held a face against all who are enrolled: who, and whom it is too like, is in the audit."""
        like = refusal.person_id if refusal is not None else ""
        with self._store.database.write() as connection:
            self._audit(connection, who.name, "compare", like, source=source)

    def enrol(
        self, who: Who, name: str, group: str, candidate: Candidate, *, source: str, sure: bool = False
    ) -> PersonDetail:
        """Somebody new with their first picture; raises RefusedPictureError, ForbiddenError, PeopleOffError."""
        self.check(who, candidate, source=source, sure=sure)
        with self._store.database.write() as connection:
            detail = self.enrol_in(connection, who, name, group, candidate, source=source, sure=sure)
        self._wake()
        return detail

    def check(self, who: Who, candidate: Candidate, *, source: str, sure: bool) -> None:
        """Raises what `enrol` does."""
        self.need_all("enrol", who)
        self._check(who, candidate, "", source, sure)

    def enrol_in(
        self, connection: Connection, who: Who, name: str, group: str, candidate: Candidate, *, source: str, sure: bool
    ) -> PersonDetail:
        """The same in the caller's transaction, of a look that was checked before."""
        now_ms, person_id = self._clock_ms(), str(uuid.uuid4())
        person = PersonRow(
            id=person_id,
            name=_plain(name).strip(),
            group=_plain(group).strip(),
            version=now_ms,
            created_at_ms=now_ms,
            created_by=who.name,
        )
        _, wrapped = self._keys.make(person_id)
        self._store.people.save(connection, person)
        self._store.people.add_key(connection, f"person/{person_id}", wrapped)
        self._add(connection, who, person, candidate, source)
        self._tell_person(connection, person)
        self._audit(connection, who.name, "enrol", person_id, source=source, sure=sure)
        return self._detail(connection, who, person_id)

    def add_picture(
        self, who: Who, person_id: str, candidate: Candidate, *, source: str, sure: bool = False
    ) -> PersonDetail:
        """One more picture; raises RefusedPictureError, NobodyError, ForbiddenError, PeopleOffError."""
        self.need_all("enrol", who)
        with self._store.database.read() as connection:
            self._person(connection, person_id)
        self._check(who, candidate, person_id, source, sure)
        with self._store.database.write() as connection:
            detail = self.add_in(connection, who, person_id, candidate, source)
        self._wake()
        return detail

    def add_in(
        self, connection: Connection, who: Who, person_id: str, candidate: Candidate, source: str
    ) -> PersonDetail:
        """The same in the caller's transaction, of a look that was checked before."""
        person = self._changed(connection, self._person(connection, person_id))
        self._add(connection, who, person, candidate, source)
        self._tell_person(connection, person)
        self._audit(connection, who.name, "add picture", person_id, source=source)
        return self._detail(connection, who, person_id)

    def renew(self, person_id: str, seen: Mapping[str, Candidate], lost: int) -> int:
        """What another embedder sees in pictures (by id) takes the place of what the one before saw; how many are still
        there. `lost` are those in which it sees nothing. Raises NobodyError."""
        with self._store.database.write() as connection:
            person, key = self._person(connection, person_id), self._key(connection, person_id)
            there = [row for row in self._store.people.faces(connection, person_id) if row.id in seen]
            for row in there:
                sealed, strength = sealed_face(key, row.id, seen[row.id]), seen[row.id].strength
                model = self._models.manifest.id
                self._store.people.renew_face(connection, replace(row, model=model, sealed=sealed, strength=strength))
            self._tell_person(connection, self._changed(connection, person))
            self._audit(connection, "", "renew pictures", person_id, renewed=len(there), lost=lost)
        self._wake()
        return len(there)

    def remove_picture(self, who: Who, person_id: str, face_id: str) -> PersonDetail:
        """One picture less; the last one can't go: then the person is to be removed. Raises NobodyError."""
        self.need_all("enrol", who)
        with self._store.database.write() as connection:
            self._face(connection, person_id, face_id)
            if len(self._store.people.faces(connection, person_id)) == 1:
                raise NobodyError("this is the only picture: remove the person, or add another picture first")
            person = self._changed(connection, self._person(connection, person_id))
            self._store.people.remove_face(connection, face_id)
            self._tell_person(connection, person)
            self._audit(connection, who.name, "remove picture", person_id, face=face_id)
            detail = self._detail(connection, who, person_id)
        self._wake()
        self._store.database.wipe(("faces", "outbox"))
        return detail

    def change(self, who: Who, person_id: str, name: str, group: str) -> PersonDetail:
        """Another name or group; raises NobodyError."""
        self.need_all("enrol", who)
        with self._store.database.write() as connection:
            before = self._changed(connection, self._person(connection, person_id))
            person = replace(before, name=_plain(name).strip(), group=_plain(group).strip())
            self._store.people.save(connection, person)
            self._tell_person(connection, person)
            self._audit(connection, who.name, "change person", person_id, group=person.group)
            detail = self._detail(connection, who, person_id)
        self._wake()
        return detail

    def remove(self, who: Who, person_id: str) -> None:
        """A person is no more: key, pictures, denials and what alerts hold of their face are gone now, and the jobs are
        told. Raises NobodyError.

        Alerts, evidence and topics hold their id, which means nobody from now on.
        """
        self.need_all("enrol", who)
        self._remove([person_id], who.name)

    def let_go(self, now_ms: int) -> int:
        """Remove everybody whose group's time is over (`faces.retention`), as `remove` does; returns how many."""
        with self._store.database.read() as connection:
            over = [row.id for row in self._store.people.all(connection) if 0 < self._until_ms(row) <= now_ms]
        if over:
            self._remove(over, "", why="retention")
        return len(over)

    def _remove(self, people: Sequence[str], who: str, **details: object) -> None:
        with self._store.database.write() as connection:
            for person_id in people:
                person = self._changed(connection, self._person(connection, person_id))
                self._store.alerts.unseal(connection, person_id)
                denials = self._store.people.denials(connection, person_id)
                gone = [RemovedPerson(kind="person", id=person_id)]
                gone += [RemovedPerson(kind="denial", id=one.id) for one in denials]
                self._store.people.remove(connection, person_id, [gallery_key(one) for one in gone])
                for one in gone:
                    self.tell(connection, one, person.version)
                self._audit(connection, who, "remove person", person_id, **details)
        self._wake()
        self._store.database.wipe(TRACES)

    def _until_ms(self, row: PersonRow) -> int:
        """When somebody is removed by itself; 0 for never."""
        kept = self._retention.groups.get(row.group)
        days = kept.enrolled_days if kept is not None else None
        return row.created_at_ms + round(days * DAY_MS) if days is not None else 0

    def tell(self, connection: Connection, change: GalleryContent, version: int) -> None:
        """Put a change for the jobs into the outbox, in the transaction of what it tells."""
        message = GalleryChange(site=self._site, version=version, change=change)
        self._store.answers.send(connection, topics.GALLERY, gallery_key(change), encode(message))

    def tell_again(self, connection: Connection, person_id: str) -> None:
        """Tell the jobs a person and their denials anew; raises NobodyError, VaultError."""
        self._tell_person(connection, self._person(connection, person_id))
        for one in self._store.people.denials(connection, person_id):
            self.tell(connection, told_denial(one), one.version)

    def need_all(self, permission: Permission, who: Who) -> None:
        """Whoever sees not all cameras changes nothing that all cameras are concerned by."""
        who.need(permission)
        if who.cameras is not None:
            raise ForbiddenError(f"{who.name} does not see all cameras: who is enrolled concerns each of them")

    def _check(self, who: Who, candidate: Candidate, person_id: str, source: str, sure: bool) -> None:
        refusal = self.refusal(candidate, person_id=person_id, sure=sure)
        if refusal is not None:
            self.compared(who, source, refusal)
            raise RefusedPictureError(refusal)

    def _add(self, connection: Connection, who: Who, person: PersonRow, candidate: Candidate, source: str) -> None:
        if len(self._store.people.faces(connection, person.id)) >= MAX_PICTURES:
            raise NobodyError(f"{MAX_PICTURES} pictures are enough: remove a bad one first")
        face_id, key = str(uuid.uuid4()), self._key(connection, person.id)
        row = FaceRow(
            id=face_id,
            person=person.id,
            model=self._models.manifest.id,
            sealed=sealed_face(key, face_id, candidate),
            strength=candidate.strength,
            source=source,
            at_ms=self._clock_ms(),
            who=who.name,
        )
        self._store.people.add_face(connection, row)

    def _tell_person(self, connection: Connection, person: PersonRow) -> None:
        key, model = self._key(connection, person.id), self._models.manifest.id
        rows = [row for row in self._store.people.faces(connection, person.id) if row.model == model]
        wrapped = self._store.people.key(connection, f"person/{person.id}")
        assert wrapped is not None
        change = told_person(key, wrapped, person, model, [opened_face(key, row).vector for row in rows])
        self.tell(connection, change, person.version)

    def _changed(self, connection: Connection, person: PersonRow) -> PersonRow:
        """With the version of a change that is made now: by the clock, and above the last."""
        after = replace(person, version=max(self._clock_ms(), person.version + 1))
        self._store.people.save(connection, after)
        return after

    def _key(self, connection: Connection, person_id: str) -> Key:
        wrapped = self._store.people.key(connection, f"person/{person_id}")
        if wrapped is None:
            raise NobodyError("there is no such person")
        return self._keys.open(person_id, wrapped)

    def _opened(self, connection: Connection, row: FaceRow) -> FaceSecret:
        return opened_face(self._key(connection, row.person), row)

    def _person(self, connection: Connection, person_id: str) -> PersonRow:
        found = self._store.people.get(connection, person_id) if "\0" not in person_id else None
        if found is None:
            raise NobodyError("there is no such person")
        return found

    def _face(self, connection: Connection, person_id: str, face_id: str) -> FaceRow:
        self._person(connection, person_id)
        for row in self._store.people.faces(connection, person_id):
            if row.id == face_id:
                return row
        raise NobodyError("there is no such picture")

    def _detail(self, connection: Connection, who: Who, person_id: str) -> PersonDetail:
        row = self._person(connection, person_id)
        faces = self._store.people.faces(connection, person_id)
        denials = self._store.people.denials(connection, person_id)
        model = self._models.manifest.id
        return PersonDetail(
            person=self._view(row, Pictures(len(faces), faces[0].id if faces else ""), len(denials)),
            pictures=tuple(
                PictureView(
                    id=one.id,
                    strength=one.strength,
                    source=one.source,
                    at_ms=one.at_ms,
                    who=one.who,
                    usable=one.model == model,
                )
                for one in faces
            ),
            denials=tuple(
                DenialView(id=one.id, alert=one.alert, camera=one.camera, at_ms=one.at_ms, who=one.who)
                for one in denials
                if who.sees(one.camera)
            ),
        )

    def _view(self, row: PersonRow, pictures: Pictures, denials: int) -> PersonView:
        return PersonView(
            id=row.id,
            name=row.name,
            group=row.group,
            pictures=pictures.number,
            denials=denials,
            picture=pictures.first,
            created_at_ms=row.created_at_ms,
            created_by=row.created_by,
            until_ms=self._until_ms(row),
        )

    def _audit(self, connection: Connection, who: str, action: AuditAction, person_id: str, **details: object) -> None:
        """Names are never in the audit: it can't forget."""
        self._store.audit.add(
            connection,
            at_ms=self._clock_ms(),
            who=who,
            action=action,
            subject=f"person/{person_id}",
            details=details,
        )


def _plain(text: str) -> str:
    """PostgreSQL takes no zero bytes."""
    return text.replace("\0", "\ufffd")
