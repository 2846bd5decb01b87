"""The enrolled people as one gallery in memory, opened anew only when something of them has changed."""

from __future__ import annotations

import threading

import numpy as np

from archive.people import Cohort, Gallery, Person
from console.people.sealing import PersonKeys, opened_face, whole
from console.store.people import Signature
from console.store.store import Store


class Enrolled:
    """The gallery of one embedder's vectors. Threads may share it."""

    def __init__(self, store: Store, keys: PersonKeys) -> None:
        self._store = store
        self._keys = keys
        self._lock = threading.Lock()
        self._made: tuple[Signature, str, Gallery] | None = None

    def gallery(self, model: str, cohort: Cohort) -> Gallery:
        """Everybody with pictures of this embedder, without denials; raises PeopleOffError, VaultError."""
        with self._lock, self._store.database.read() as connection:
            people = self._store.people
            signature = people.signature(connection)
            if self._made is not None and self._made[:2] == (signature, model):
                return self._made[2]
            wrapped = people.keys(connection, "person/")
            vectors: dict[str, list[bytes]] = {}
            for row in people.faces(connection):
                if row.model == model:
                    key = self._keys.open(row.person, wrapped[f"person/{row.person}"])
                    vectors.setdefault(row.person, []).append(opened_face(key, row).vector)
            enrolled = {
                Person(row.id, row.name, row.group): np.stack([whole(one) for one in vectors[row.id]])
                for row in people.all(connection)
                if row.id in vectors
            }
            made = Gallery.of(enrolled, cohort=cohort)
            self._made = (signature, model, made)
            return made
