"""Who is enrolled while video is replayed: pictures of a folder, `GROUP/NAME.jpg`, and one more as `GROUP/NAME.2.jpg`.

The replay's own broker gets them, sealed, with the keys of the clip's days, before its first frame.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from archive.people import Enrolment, FaceModels, PictureError, SessionOptions, Vector, opened
from bus.producer import KafkaLink, deliver
from console.people.sealing import PersonKeys, half, told_person
from console.store.people import PersonRow
from contracts import topics
from contracts.codec import encode
from contracts.config import Config
from contracts.errors import ConfigError
from contracts.face_models import face_manifests
from contracts.people import FaceKey, GalleryChange, gallery_key
from vault import MasterKey, day_of, key_name, new_key

OPTION = "--gallery"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SEND_S = 10.0
NAMESPACE = uuid.UUID("7b1de0b8-6d1c-5c7e-9a38-0f2a5c3b9d14")


class ReplayPeople:
    """The people of a folder, None for nobody; their pictures are looked at as enrolment does."""

    def __init__(self, config: Config, config_file: Path, folder: Path | None) -> None:
        """Raises ConfigError for a folder without pictures, or a picture that won't do, with the reason."""
        self._site = config.site.name
        self._models = FaceModels(face_manifests(config, config_file.parent), SessionOptions(device="cpu"))
        self._rules = Enrolment(self._models.calibration, config.faces.wanted_rate)
        self._vectors: dict[PersonRow, list[Vector]] = {}
        if folder is not None:
            files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not files:
                raise ConfigError(OPTION, f"{folder}: there are no pictures, GROUP/NAME.jpg")
            for file in files:
                self._vectors.setdefault(_person(file, folder), []).append(self._vector(file))
        self._names = {person.id: person.name for person in self._vectors}

    def __len__(self) -> int:
        return len(self._vectors)

    def name_of(self, person_id: str) -> str:
        """What somebody is called, "" for nobody."""
        return self._names.get(person_id, "")

    def tell(self, bootstrap: str, master: MasterKey, start_ms: int, end_ms: int) -> None:
        """Write who is enrolled, and the keys of the days from `start_ms` to `end_ms`; raises BusError."""
        link = KafkaLink(bootstrap)
        try:
            for topic, key, value in self._records(master, start_ms, end_ms):
                deliver(link, topic, key, value, time.time_ns() // 1_000_000, SEND_S)
        finally:
            link.close(SEND_S)

    def _records(self, master: MasterKey, start_ms: int, end_ms: int) -> Iterator[tuple[str, str, bytes]]:
        for day in range(day_of(start_ms), day_of(end_ms) + 1):
            wrapped = master.wrap(new_key(), key_name(self._site, day))
            told = FaceKey(site=self._site, day=day, wrapped=wrapped)
            yield topics.FACE_KEYS, f"{self._site}/{day}", encode(told)
        keys, model = PersonKeys(master), self._models.manifest.id
        for person, vectors in self._vectors.items():
            key, wrapped = keys.make(person.id)
            change = told_person(key, wrapped, person, model, [half(vector) for vector in vectors])
            message = GalleryChange(site=self._site, version=person.version, change=change)
            yield topics.GALLERY, gallery_key(change), encode(message)

    def _vector(self, file: Path) -> Vector:
        try:
            picture = opened(file.read_bytes())
        except PictureError as error:
            raise ConfigError(OPTION, f"{file}: {error}") from error
        found = self._rules.examine(picture, self._models.faces(picture))
        if found.refusal is not None or found.candidate is None:
            raise ConfigError(OPTION, f"{file}: {found.refusal.text if found.refusal else 'no face'}")
        return found.candidate.vector


def _person(file: Path, folder: Path) -> PersonRow:
    name = file.stem.partition(".")[0]
    group = "" if file.parent == folder else file.parent.name
    person_id = str(uuid.uuid5(NAMESPACE, f"{group}/{name}"))  # the same in each replay
    return PersonRow(id=person_id, name=name, group=group, version=1, created_at_ms=0, created_by="")
