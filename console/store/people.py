"""Enrolled people as they are kept: sealed pictures and denials, wrapped keys, and which alerts name whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Column, Connection, delete, func, or_, select, update

from console.store.database import Database
from console.store.tables import denials, faces, keys, outbox, people
from contracts.naming import NameOf, mentioned

TRACES = ("people", "faces", "denials", "keys", "outbox", "alerts")
"""The tables that hold something of an enrolled person."""
MAX_CALLED = 50


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is enrolled. `version` is that of the last change told to the jobs."""

    id: str
    name: str
    group: str
    version: int
    created_at_ms: int
    created_by: str


class FaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a person, sealed; `strength` is the cosine that it is expected to have with them."""

    id: str
    person: str
    model: str
    sealed: bytes
    strength: float
    source: str
    at_ms: int
    who: str


class DenialRow(msgspec.Struct, frozen=True, kw_only=True):
    """A look that is not that person, sealed, and from which alert."""

    id: str
    person: str
    model: str
    sealed: bytes
    alert: str
    camera: str
    version: int
    at_ms: int
    who: str


class Signature(NamedTuple):
    """Another one after each change of people or pictures: numbers and versions only grow, none is given twice."""

    faces: int
    newest_face: int
    people: int
    newest_version: int


class Pictures(NamedTuple):
    """How many pictures somebody has, and the id of the first."""

    number: int
    first: str


NO_PICTURES = Pictures(0, "")


class People:
    """People of one database. What writes takes a connection, so that it is one transaction with its cause."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, connection: Connection, text: str = "", limit: int | None = None) -> list[PersonRow]:
        """Everybody who is enrolled, or whose name or group holds `text`, by name."""
        query = select(people).order_by(people.c.name, people.c.id).limit(limit)
        if text:
            like = (column.icontains(text, autoescape=True) for column in (people.c.name, people.c.group))
            query = query.where(or_(*like))
        return [PersonRow(**row._mapping) for row in connection.execute(query)]

    def names_of(self, connection: Connection, ids: Iterable[str]) -> NameOf:
        """What these people are called: what is to be shown has names, what is kept has ids."""
        wanted = {one for one in ids if one}
        query = select(people.c.id, people.c.name).where(people.c.id.in_(wanted))
        found = {person: name for person, name in connection.execute(query)} if wanted else {}
        return lambda person: found.get(person, "")

    def named_in(self, connection: Connection, texts: Iterable[str]) -> NameOf:
        """What those are called whom these sentences mention."""
        return self.names_of(connection, (person for text in texts for person in mentioned(text)))

    def called(self, connection: Connection, word: str) -> list[str]:
        """The ids of those in whose names this word is, of some of them where many have it."""
        query = select(people.c.id).where(people.c.name.icontains(word, autoescape=True))
        return list(connection.execute(query.order_by(people.c.name).limit(MAX_CALLED)).scalars())

    def held(self, connection: Connection, ids: Collection[str]) -> frozenset[str]:
        """Which of these people are enrolled; nobody of them is removed before this transaction is over."""
        if not ids:
            return frozenset()
        query = select(people.c.id).where(people.c.id.in_(ids)).with_for_update(read=True)
        return frozenset(connection.execute(query).scalars())

    def get(self, connection: Connection, person_id: str) -> PersonRow | None:
        """One person who is enrolled."""
        row = connection.execute(select(people).where(people.c.id == person_id)).first()
        return PersonRow(**row._mapping) if row else None

    def save(self, connection: Connection, person: PersonRow) -> None:
        """A person is new or changed."""
        values = asdict(person)
        if not connection.execute(update(people).where(people.c.id == person.id).values(values)).rowcount:
            connection.execute(people.insert().values(values))

    def faces(self, connection: Connection, person_id: str | None = None) -> list[FaceRow]:
        """The pictures of one person, or of all, in the order in which they came."""
        query = select(*(column for column in faces.c if column.name != "number")).order_by(faces.c.number)
        query = query.where(faces.c.person == person_id) if person_id is not None else query
        return [FaceRow(**row._mapping) for row in connection.execute(query)]

    def pictures(self, connection: Connection) -> dict[str, Pictures]:
        """How many pictures each person has, and the id of the first."""
        first = select(faces.c.person, func.count().label("count"), func.min(faces.c.number).label("number"))
        each = first.group_by(faces.c.person).subquery()
        query = select(each.c.person, each.c.count, faces.c.id).join(faces, faces.c.number == each.c.number)
        return {person: Pictures(count, face_id) for person, count, face_id in connection.execute(query)}

    def denial_counts(self, connection: Connection) -> dict[str, int]:
        """How many denials each person has, of those who have any."""
        query = select(denials.c.person, func.count()).group_by(denials.c.person)
        return {person: count for person, count in connection.execute(query)}

    def add_face(self, connection: Connection, face: FaceRow) -> None:
        """One more picture."""
        connection.execute(faces.insert().values(asdict(face)))

    def renew_face(self, connection: Connection, face: FaceRow) -> None:
        """A picture as another embedder sees it."""
        connection.execute(update(faces).where(faces.c.id == face.id).values(asdict(face)))

    def of_other_models(self, connection: Connection, model: str) -> dict[str, int]:
        """How many pictures each person has that this embedder has not seen, of those who have any."""
        query = select(faces.c.person, func.count()).where(faces.c.model != model).group_by(faces.c.person)
        return {person: count for person, count in connection.execute(query.order_by(faces.c.person))}

    def remove_face(self, connection: Connection, face_id: str) -> None:
        """A picture is no more."""
        connection.execute(delete(faces).where(faces.c.id == face_id))

    def denials(self, connection: Connection, person_id: str | None = None) -> list[DenialRow]:
        """The denials of one person, or of all, in the order in which they came."""
        query = select(*(column for column in denials.c if column.name != "number")).order_by(denials.c.number)
        query = query.where(denials.c.person == person_id) if person_id is not None else query
        return [DenialRow(**row._mapping) for row in connection.execute(query)]

    def add_denial(self, connection: Connection, denial: DenialRow) -> None:
        """One more denial."""
        connection.execute(denials.insert().values(asdict(denial)))

    def remove_denial(self, connection: Connection, denial_id: str) -> None:
        """A denial is no more."""
        connection.execute(delete(denials).where(denials.c.id == denial_id))

    def remove(self, connection: Connection, person_id: str, unsent: Collection[str]) -> None:
        """A person is not there any more; what waits to be sent under `unsent` is not sent."""
        for table in (faces, denials):
            connection.execute(delete(table).where(table.c.person == person_id))
        connection.execute(delete(keys).where(keys.c.name == f"person/{person_id}"))
        connection.execute(delete(outbox).where(outbox.c.key.in_(unsent)))
        connection.execute(delete(people).where(people.c.id == person_id))

    def signature(self, connection: Connection) -> Signature:
        """Changes with every picture and person that comes, changes or goes."""

        def newest(column: Column[int]) -> tuple[int, int]:
            row = connection.execute(select(func.count(), func.coalesce(func.max(column), 0)).select_from(column.table))
            count, number = row.one()
            return count, number

        return Signature(*newest(faces.c.number), *newest(people.c.version))

    def key(self, connection: Connection, name: str) -> bytes | None:
        """A wrapped key, None where there is none (any more)."""
        return connection.execute(select(keys.c.wrapped).where(keys.c.name == name)).scalar_one_or_none()

    def keys(self, connection: Connection, prefix: str) -> dict[str, bytes]:
        """The wrapped keys whose names begin so."""
        query = select(keys.c.name, keys.c.wrapped).where(keys.c.name.startswith(prefix, autoescape=True))
        return {name: wrapped for name, wrapped in connection.execute(query.order_by(keys.c.name))}

    def add_key(self, connection: Connection, name: str, wrapped: bytes) -> None:
        """A new key; the database refuses one that is there already."""
        connection.execute(keys.insert().values(name=name, wrapped=wrapped))

    def drop_keys(self, connection: Connection, names: Iterable[str]) -> None:
        """Throw keys away."""
        connection.execute(delete(keys).where(keys.c.name.in_(list(names))))
