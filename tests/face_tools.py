"""For tests about faces: people made of arithmetic, what is sealed about them, and records of who is enrolled."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bus.consuming import Record
from contracts import topics
from contracts.codec import encode
from contracts.fields import Xyxy
from contracts.messages import Look
from contracts.people import (
    FaceKey,
    GalleryChange,
    GalleryContent,
    PersonSecret,
    RemovedPerson,
    SetDenial,
    SetPerson,
    gallery_key,
)
from vault import DayKeys, Key, MasterKey, day_of, new_key, sealed

SITE = "site"
MODEL = "face-embedder@1"
D = 128
MASTER_KEY = Key(bytes(range(32)))
MASTER = MasterKey(MASTER_KEY)
Vector = NDArray[np.float32]


def direction(number: int) -> Vector:
    """The true direction of person `number`: two people's are nearly at right angles."""
    return _unit(np.random.default_rng(1000 + number).standard_normal(D))


def seen(number: int, cosine: float = 0.95, noise: int = 0) -> Vector:
    """A look at a person with this cosine to the true direction; `noise` numbers the looks."""
    truth = direction(number)
    beside = np.random.default_rng([number, noise]).standard_normal(D)
    beside = _unit(beside - (beside @ truth) * truth)
    return _unit(cosine * truth + np.sqrt(1 - cosine**2) * beside)


def half(vector: Vector) -> bytes:
    """As vectors are sealed: little-endian float16."""
    return vector.astype("<f2").tobytes()


def readable_forms(vector: Vector) -> list[bytes]:
    """What would be in the bytes of whatever holds a vector that can be read: as numbers of any size, or as base64."""
    whole = [vector.astype(form).tobytes() for form in ("<f2", "<f4", "<f8")]
    return [part for data in whole for part in (data[:16], data[-16:], base64.b64encode(data)[:20])]


def day_keys(*at_ms: int, site: str = SITE) -> DayKeys:
    """Keys of the days of these times."""
    keys = DayKeys(site)
    for moment in at_ms:
        keys.put(day_of(moment), new_key())
    return keys


def face_look(
    keys: DayKeys, at_ms: int, vector: Vector, quality: float = 0.75, model: str = MODEL, xyxy: Xyxy = (10, 10, 50, 60)
) -> Look:
    """A look as the detect job makes it."""
    return Look(kind="face", model=model, quality=quality, xyxy=xyxy, vector=keys.seal(at_ms, half(vector)))


class Enrolling:
    """Makes the records of the topic `gallery` as the console does."""

    def __init__(self, site: str = SITE, model: str = MODEL, master: MasterKey = MASTER) -> None:
        self._master = master
        self._site = site
        self._model = model
        self._keys: dict[str, Key] = {}
        self._offset = 0

    def person(
        self, person_id: str, vectors: Sequence[Vector], name: str = "", group: str = "", version: int = 1
    ) -> Record:
        """Somebody is enrolled, or enrolled anew."""
        key = self._keys.setdefault(person_id, new_key())
        secret = PersonSecret(name=name or person_id, model=self._model, vectors=tuple(map(half, vectors)))
        change = SetPerson(
            id=person_id,
            group=group,
            wrapped=self._master.wrap(key, f"person/{person_id}"),
            sealed=sealed(key, msgspec.msgpack.encode(secret), f"person/{person_id}".encode()),
        )
        return self.record(change, version)

    def denial(self, denial_id: str, person_id: str, vector: Vector, version: int = 1) -> Record:
        """An operator says that this look is not that person."""
        about = f"denial/{denial_id}".encode()
        data = sealed(self._keys[person_id], half(vector), about)
        return self.record(SetDenial(id=denial_id, person_id=person_id, model=self._model, sealed=data), version)

    def removal(self, person_id: str, version: int = 2) -> Record:
        """A person is no more."""
        return self.record(RemovedPerson(kind="person", id=person_id), version)

    def record(self, change: GalleryContent, version: int = 1) -> Record:
        """Any change as a record."""
        self._offset += 1
        message = GalleryChange(site=self._site, version=version, change=change)
        return Record(topics.GALLERY, 0, self._offset, 0, gallery_key(change).encode(), encode(message))


def face_key(at_ms: int, key: Key | None, site: str = SITE, master: MasterKey = MASTER) -> Record:
    """The record of a day's key; None: it was thrown away."""
    day = day_of(at_ms)
    wrapped = master.wrap(key, f"day/{site}/{day}") if key is not None else b""
    value = encode(FaceKey(site=site, day=day, wrapped=wrapped))
    return Record(topics.FACE_KEYS, 0, 0, 0, f"{site}/{day}".encode(), value)


def _unit(vector: NDArray[np.float64]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
