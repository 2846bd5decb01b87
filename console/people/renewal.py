"""Makes the vectors of enrolled pictures anew where another embedder is in the config: at a start, in a thread."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace

from sqlalchemy.exc import OperationalError

from archive.people import Candidate, Enrolment, FaceModels, PictureError, opened
from console.people.errors import NobodyError, PeopleOffError
from console.people.register import Register
from console.people.sealing import FaceSecret, PersonKeys, opened_face
from console.store.store import Store
from console.worker import Worker
from contracts.errors import ModelError
from vault import VaultError

log = logging.getLogger(__name__)

MIDDLE = (0.2, 0.2, 0.8, 0.8)
"""Where the face is in its own picture (shares), which was cut with `archive.people.pictures.CROP_MARGIN` around it."""
TOLD_EVERY = 100
RETRY_S = 5.0


class Renewal(Worker):
    """One thread that ends when there is nothing left to do. Each person is a transaction: a kill costs one of them."""

    def __init__(self, store: Store, register: Register, keys: PersonKeys, models: FaceModels, rate: float) -> None:
        super().__init__("face renewal")
        self._store = store
        self._register = register
        self._keys = keys
        self._models = models
        self._rate = rate
        self.waiting = 0

    def renew(self) -> Counter[str]:
        """Look at all pictures of other embedders; how many are `renewed`, and `lost`: without a picture, or a face.

        What is lost stays as it is, and is compared with nobody. Raises PeopleOffError, VaultError, ModelError.
        """
        model, counts = self._models.manifest.id, Counter[str]()
        with self._store.database.read() as connection:
            waiting = self._store.people.of_other_models(connection, model)
        self.waiting = sum(waiting.values())
        if self.waiting:
            log.info("%d enrolled pictures of %d people are looked at anew by %s", self.waiting, len(waiting), model)
        for place, (person_id, pictures) in enumerate(waiting.items(), 1):
            if self._stop.is_set():
                return counts
            counts.update(self._renewed(person_id, model))
            self.waiting -= pictures
            if place % TOLD_EVERY == 0:
                log.info("%d of %d people are looked at anew", place, len(waiting))
        if counts:
            log.info("all are looked at anew: %d pictures renewed, %d lost", counts["renewed"], counts["lost"])
        self.waiting = 0
        return counts

    def _renewed(self, person_id: str, model: str) -> Counter[str]:
        """One person, who may be gone by now."""
        with self._store.database.read() as connection:
            wrapped = self._store.people.key(connection, f"person/{person_id}")
            rows = [row for row in self._store.people.faces(connection, person_id) if row.model != model]
        if wrapped is None:
            return Counter()
        key = self._keys.open(person_id, wrapped)
        seen = {row.id: self._seen(opened_face(key, row)) for row in rows}
        found = {face_id: candidate for face_id, candidate in seen.items() if candidate is not None}
        lost = len(rows) - len(found)
        try:
            renewed = self._register.renew(person_id, found, lost) if found else 0
        except NobodyError:
            return Counter()
        if lost:
            log.warning("person/%s: %d pictures can't be looked at anew", person_id, lost)
        return Counter(renewed=renewed, lost=lost)

    def _seen(self, secret: FaceSecret) -> Candidate | None:
        """What this embedder sees in a sealed picture; an operator has taken its quality already."""
        if not secret.jpeg:
            return None
        try:
            picture = opened(secret.jpeg)
        except PictureError:
            return None
        height, width = picture.shape[:2]
        near = (MIDDLE[0] * width, MIDDLE[1] * height, MIDDLE[2] * width, MIDDLE[3] * height)
        rules = Enrolment(self._models.calibration, self._rate)
        found = rules.examine(picture, self._models.faces(picture), near=near).candidate
        return replace(found, crop=secret.jpeg) if found is not None else None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.renew()
            except (PeopleOffError, VaultError, ModelError) as error:
                log.info("enrolled pictures are left as they are: %s", error)
                self.waiting = 0  # for nothing, until the next start
            except OperationalError as error:
                log.warning("enrolled pictures can't be looked at anew, again: %s", error)
                self._stop.wait(RETRY_S)
                continue
            return
