"""Who is enrolled, as the topic `gallery` has it: one matrix in the process's memory, never a part of a checkpoint."""

from __future__ import annotations

import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from bus.consuming import Record
from bus.follower import Follower
from contracts import metrics as names
from contracts.codec import decode
from contracts.decoding import msgpack_decoder
from contracts.errors import ContractError
from contracts.metrics import Metrics
from contracts.people import GalleryChange, PersonSecret, RemovedPerson, SetDenial, SetPerson, gallery_key
from stream.identity import Cohort, Denial, Entry, Gallery, Person
from stream.identity.cohort import NOBODY
from stream.identity.gallery import Vector
from stream.jobs.clock import Clock, now_ms
from stream.jobs.gallery_index import GalleryIndex
from stream.jobs.letters import Letters
from vault import Key, MasterKey, VaultError, opened

log = logging.getLogger(__name__)

_SECRET = msgpack_decoder(PersonSecret)
VECTOR = np.dtype("<f2")

BITE = 200
"""People whose keys and pictures are opened between two looks for newer records; each takes some 50 µs."""
SLICE = 4
BREATH_S = 0.002
"""After SLICE people the frames have the interpreter: who waits for it otherwise waits for 5 ms each time. So 10,000
people take 7 s."""
PUBLISH = 20_000
"""In a flood a new gallery is made after so many: one that is made holds the interpreter for some milliseconds."""


@dataclass(frozen=True)
class Embedder:
    """Whose vectors can be compared: the embedder's name@version, and the length D of its vectors.

    `alike` and `cohort` are Gallery's.
    """

    model: str
    size: int
    alike: float = 1.0
    cohort: Cohort = NOBODY


class Enrolled(NamedTuple):
    """The gallery at one moment; `state` is a hash of what was applied: the same records give the same one."""

    gallery: Gallery = Gallery()
    state: int = 0


class _Opened(NamedTuple):
    entry: Entry
    key: Key


class GalleryWatch:
    """Follows the topic; `now` is always a whole gallery, replaced at once. Threads may share it."""

    def __init__(
        self,
        site: str,
        master: MasterKey,
        embedder: Embedder,
        letters: Letters,
        metrics: Metrics,
        clock: Clock = now_ms,
    ) -> None:
        self.now = Enrolled()
        self._site = site
        self._master = master
        self._embedder = embedder
        self._letters = letters
        self._metrics = metrics
        self._clock = clock
        self._versions: dict[str, int] = {}
        self._hashes: dict[str, int] = {}
        self._state = 0
        self._waiting: dict[str, tuple[Record, int, SetPerson]] = {}
        self._published, self._urgent, self._unpublished = False, False, 0
        self._people: dict[str, _Opened] = {}
        self._denials: dict[str, SetDenial] = {}
        self._foreign: set[str] = set()
        self._told_foreign = 0
        self._oldest_ms = 0
        self._publishing = threading.Lock()
        self._index = GalleryIndex(self._indexed)

    def start(self, bootstrap: str, topic: str) -> None:
        """Read all that is enrolled, then follow the topic; raises BusError."""
        Follower(bootstrap, topic, self.take, self.settle).start()

    def take(self, record: Record) -> None:
        """One change; it counts from a `settle` on. Of each thing the highest version wins."""
        try:
            if record.value is None:
                raise ContractError("no value: a removal is a message of its own")
            message = decode(record.value, GalleryChange)
        except ContractError as error:
            self._letters.put(record, str(error))
            return
        key = gallery_key(message.change)
        if message.site != self._site or message.version <= self._versions.get(key, -1):
            return
        self._versions[key] = message.version
        self._oldest_ms = self._oldest_ms or record.timestamp_ms
        self._metrics.counter(names.GALLERY_CHANGES).inc()
        self._take(record, message)

    def settle(self) -> bool:
        """Open some of who was taken, and put a new gallery in force; returns whether there is more to open.

        Removals and denials wait for nobody. Once frames flow, the interpreter is theirs most of the time.
        """
        opened = []
        for count, person_id in enumerate(list(itertools.islice(self._waiting, BITE)), 1):
            record, version, change = self._waiting.pop(person_id)
            try:
                self._set(change)
            except (ContractError, VaultError) as error:
                self._letters.put(record, str(error))
            else:
                opened.append(person_id)
                self._index.changed(person_id)
                self._applied(f"person/{person_id}", version)
            self._unpublished += 1
            if self._published and count % SLICE == 0:
                time.sleep(BREATH_S)
        self._compare([one for one in opened if one in self._people])
        if self._urgent or self._unpublished >= PUBLISH or not self._waiting:
            self._publish()
        return bool(self._waiting)

    def _compare(self, people: Sequence[str]) -> None:
        """Hold the pictures of people who were opened against the cohort, in one product."""
        if not people:
            return
        entries = [self._people[one].entry for one in people]
        excess = self._embedder.cohort.excess(np.concatenate([one.vectors for one in entries]))
        ends = np.cumsum([len(one.vectors) for one in entries])
        for person, entry, part in zip(people, entries, np.split(excess, ends[:-1]), strict=True):
            self._people[person] = self._people[person]._replace(entry=entry._replace(excess=part))

    def _take(self, record: Record, message: GalleryChange) -> None:
        match message.change:
            case SetPerson() as person:
                self._waiting[person.id] = (record, message.version, person)
                return
            case SetDenial() as denial:
                self._denials[denial.id] = denial
            case RemovedPerson(kind="denial", id=denial_id):
                self._denials.pop(denial_id, None)
            case RemovedPerson(id=person_id):
                self._waiting.pop(person_id, None)
                self._people.pop(person_id, None)
                self._index.changed(person_id)
                self._foreign.discard(person_id)
                self._denials = {key: one for key, one in self._denials.items() if one.person_id != person_id}
        self._applied(gallery_key(message.change), message.version)
        self._urgent = True

    def _applied(self, key: str, version: int) -> None:
        self._state ^= self._hashes.pop(key, 0)
        self._hashes[key] = _hash(key, version)
        self._state ^= self._hashes[key]

    def _indexed(self) -> None:
        """There is another index of the gallery in force; called by its own thread."""
        with self._publishing:
            self.now = self.now._replace(gallery=self._index.again(self.now.gallery))

    def _publish(self) -> None:
        # In the order of ids, whatever the order in which they came: a replay multiplies the same rows.
        entries = [self._people[one].entry for one in sorted(self._people)]
        denials = [self._denial(self._denials[one]) for one in sorted(self._denials)]
        gallery = Gallery.joined(
            entries,
            tuple(denial for denial in denials if denial is not None),
            self._embedder.alike,
            self._embedder.cohort,
        )
        with self._publishing:
            self.now = Enrolled(self._index.of(gallery), self._state)
        self._published, self._urgent, self._unpublished = True, False, 0
        self._metrics.gauge(names.GALLERY_PEOPLE).set(len(entries))
        if self._oldest_ms:
            late_s = max(0, self._clock() - self._oldest_ms) / 1000
            self._metrics.histogram(names.GALLERY_CHANGE).observe(late_s)
            self._oldest_ms = 0
        if len(self._foreign) > self._told_foreign:
            text = "%d people were enrolled with another model than %s, and match nobody: enrol them again"
            log.warning(text, len(self._foreign), self._embedder.model)
        self._told_foreign = len(self._foreign)

    def _set(self, change: SetPerson) -> None:
        key = self._master.unwrap(change.wrapped, f"person/{change.id}")
        try:
            secret = _SECRET.decode(opened(key, change.sealed, f"person/{change.id}".encode()))
        except msgspec.MsgspecError as error:
            raise ContractError(f"person {change.id}: {error}") from error
        if secret.model != self._embedder.model:
            self._people.pop(change.id, None)
            self._foreign.add(change.id)
            return
        self._foreign.discard(change.id)
        if not secret.vectors:
            raise ContractError(f"person {change.id}: no picture")
        rows = np.stack([unit(vector, self._embedder.size, f"person {change.id}") for vector in secret.vectors])
        entry = Entry(Person(change.id, secret.name, change.group), rows, np.zeros(len(rows), np.float32))
        self._people[change.id] = _Opened(entry, key)

    def _denial(self, change: SetDenial) -> Denial | None:
        """The denial as the gallery wants it; None while its person is not there, and for another embedder's look."""
        person = self._people.get(change.person_id)
        if person is None or change.model != self._embedder.model:
            return None
        try:
            plain = opened(person.key, change.sealed, f"denial/{change.id}".encode())
            return Denial(change.person_id, unit(plain, self._embedder.size, f"denial {change.id}"))
        except (VaultError, ContractError):
            self._metrics.counter(names.FACES_DROPPED, "denial").inc()
            return None


def unit(data: bytes, size: int, whose: str) -> Vector:
    """The unit vector float32[D] in float16[D]; ContractError for other bytes."""
    if len(data) != size * VECTOR.itemsize:
        raise ContractError(f"{whose}: a vector of {len(data)} bytes instead of {size * VECTOR.itemsize}")
    vector = np.frombuffer(data, VECTOR).astype(np.float32)
    length = float(np.linalg.norm(vector))
    if not 0.9 < length < 1.1:  # NaN too
        raise ContractError(f"{whose}: a vector of length {length:g} instead of 1")
    return np.asarray(vector / length, np.float32)


def _hash(key: str, version: int) -> int:
    """Of one applied record; xor of all is the same in whatever order they came."""
    return int.from_bytes(hashlib.blake2b(f"{key}@{version}".encode(), digest_size=7).digest(), "big")
