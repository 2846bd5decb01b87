"""What the console changed of the config, object by object: every version, who wrote it, and when."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from console.store.database import Database
from console.store.tables import objects

Kind = Literal["camera", "zone", "line", "rule", "arming", "routes", "budget"]
SETTINGS: tuple[Kind, ...] = ("arming", "routes", "budget")
"""Kinds of which there is always one: never added, removed or adopted, only changed."""


class ObjectKey(NamedTuple):
    """Which object: rules have no camera; cameras and settings no name, arming a camera only for that camera's own."""

    kind: Kind
    camera: str
    name: str


class ObjectVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object. `body` is the JSON of its part of the config; None: it was removed."""

    kind: Kind
    camera: str
    name: str
    version: int
    at_ms: int
    who: str
    note: str
    body: str | None

    @property
    def key(self) -> ObjectKey:
        """Which object."""
        return ObjectKey(self.kind, self.camera, self.name)


class Objects:
    """Objects of one database. One that has no version here is the file's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> dict[ObjectKey, ObjectVersion]:
        """The newest version of each."""
        with self._database.read() as connection:
            return self.current_in(connection)

    def current_in(self, connection: Connection) -> dict[ObjectKey, ObjectVersion]:
        """The same in the caller's transaction."""
        same = (objects.c.kind, objects.c.camera, objects.c.name)
        newest = select(*same, func.max(objects.c.version).label("version")).group_by(*same).subquery()
        on = [objects.c[name] == newest.c[name] for name in ("kind", "camera", "name", "version")]
        query = select(objects).join(newest, on[0] & on[1] & on[2] & on[3])
        found = (ObjectVersion(**row._mapping) for row in connection.execute(query))
        return {one.key: one for one in found}

    def versions(self, key: ObjectKey) -> list[ObjectVersion]:
        """All versions of one, the latest first."""
        query = select(objects).where(*(objects.c[name] == value for name, value in key._asdict().items()))
        with self._database.read() as connection:
            return [
                ObjectVersion(**row._mapping) for row in connection.execute(query.order_by(objects.c.version.desc()))
            ]

    def add(self, connection: Connection, version: ObjectVersion) -> None:
        """Keep a new version; the database refuses one that is there already."""
        connection.execute(objects.insert().values(msgspec.structs.asdict(version)))
