"""An enrolled person's secrets: what is sealed under their key in the database, and what of it goes to the jobs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from archive.people import Candidate, Vector
from console.people.errors import PeopleOffError
from console.store.people import DenialRow, FaceRow, PersonRow
from contracts.decoding import msgpack_decoder
from contracts.people import PersonSecret, SetDenial, SetPerson
from vault import Key, MasterKey, new_key, opened, sealed

HALF = np.dtype("<f2")
HOW_TO = (
    "identification is off: there is no master key. Make one with `vedette faces key`, give it to Vedette as "
    "VEDETTE_MASTER_KEY, keep a copy in a safe place, and start again"
)


class FaceSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a picture: its vector (float16[D]) and the face as JPEG (b"" where there was no picture)."""

    vector: bytes
    jpeg: bytes


_FACE = msgpack_decoder(FaceSecret)


class PersonKeys:
    """Wraps, unwraps and uses the keys of people. Without a master key everything raises PeopleOffError."""

    def __init__(self, master: MasterKey | None) -> None:
        self._master = master

    @property
    def are_there(self) -> bool:
        """Whether there is a master key."""
        return self._master is not None

    @property
    def master(self) -> MasterKey:
        """The master key; raises PeopleOffError."""
        if self._master is None:
            raise PeopleOffError(HOW_TO)
        return self._master

    def make(self, person_id: str) -> tuple[Key, bytes]:
        """A new key of a person, and how it is written down."""
        key = new_key()
        return key, self.master.wrap(key, _key_name(person_id))

    def open(self, person_id: str, wrapped: bytes) -> Key:
        """A person's key; raises VaultError where another master key wrapped it."""
        return self.master.unwrap(wrapped, _key_name(person_id))


def sealed_face(key: Key, face_id: str, candidate: Candidate) -> bytes:
    """A picture as the database keeps it."""
    secret = FaceSecret(vector=half(candidate.vector), jpeg=candidate.crop)
    return sealed(key, msgspec.msgpack.encode(secret), f"face/{face_id}".encode())


def opened_face(key: Key, row: FaceRow) -> FaceSecret:
    """What `sealed_face` sealed; raises VaultError."""
    return _FACE.decode(opened(key, row.sealed, f"face/{row.id}".encode()))


def told_person(key: Key, wrapped: bytes, person: PersonRow, model: str, vectors: Iterable[bytes]) -> SetPerson:
    """What the jobs are told of a person."""
    secret = PersonSecret(name=person.name, model=model, vectors=tuple(vectors))
    plain, about = msgspec.msgpack.encode(secret), _key_name(person.id).encode()
    return SetPerson(id=person.id, group=person.group, wrapped=wrapped, sealed=sealed(key, plain, about))


def sealed_denial(key: Key, denial_id: str, vector: bytes) -> bytes:
    """The vector (float16[D]) of a look that is not the person, for the database and for the jobs."""
    return sealed(key, vector, f"denial/{denial_id}".encode())


def told_denial(row: DenialRow) -> SetDenial:
    """What the jobs are told of a denial."""
    return SetDenial(id=row.id, person_id=row.person, model=row.model, sealed=row.sealed)


def half(vector: Vector) -> bytes:
    """A vector as it is sealed."""
    return vector.astype(HALF).tobytes()


def whole(data: bytes) -> Vector:
    """A unit vector float32[D] out of float16[D]."""
    vector = np.frombuffer(data, HALF).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _key_name(person_id: str) -> str:
    return f"person/{person_id}"
