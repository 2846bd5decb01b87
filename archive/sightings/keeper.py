"""Keeps what cameras saw of faces: `sightings` into the folder, and out of it what may not be there any more.

A day goes with its key, a person's sightings go with the person, both as soon as their topics say so; a class of
people's sightings go when `faces.retention` says so.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from msgspec.structs import replace

from archive.sightings.copies import Copies
from archive.sightings.folder import SightingsFolder
from bus.consuming import Record
from bus.errors import BusError
from bus.follower import Follower
from bus.group import GroupReader
from contracts import topics
from contracts.codec import decode
from contracts.config import Faces
from contracts.errors import ContractError
from contracts.people import FaceKey, GalleryChange, RemovedPerson, SetPerson, Sighting
from contracts.topics import DAY_MS
from vault import DayKeys, MasterKey, VaultError, day_of

log = logging.getLogger(__name__)

GROUP = "vedette-sightings"
BATCH = 500
POLL_S = 0.5
RETRY_S = 1.0
TIDY_EVERY_MS = 60_000

Clock = Callable[[], int]
"""Milliseconds since the epoch."""


class Keeper:
    """Works in `run` until `stop`; places are committed after what was read is on disk."""

    def __init__(
        self,
        bootstrap: str,
        folder: SightingsFolder,
        keys: DayKeys,
        master: MasterKey,
        *,
        faces: Faces,
        clock: Clock,
        stop: threading.Event,
        copies: Copies | None = None,
    ) -> None:
        """`copies` is where who searches gets the sightings from, None where they have the same folder."""
        self._bootstrap = bootstrap
        self._copies = copies
        self._folder = folder
        self._keys = keys
        self._master = master
        self._faces = faces
        self._clock = clock
        self._stop = stop
        self._gone: set[int] = set()
        self._removed: set[str] = set()
        self._forgotten: set[str] = set()
        self._groups: dict[str, str] = {}
        self._tidied_at_ms = 0
        self._aged_on = -1

    def run(self) -> None:
        """Keep until `stop` is set; raises OSError when the disk takes no more."""
        reader, followers = None, []
        while reader is None and not self._stop.is_set():
            try:
                followers = [
                    Follower(self._bootstrap, topics.FACE_KEYS, self.take_key),
                    Follower(self._bootstrap, topics.GALLERY, self.take_person, self.forget),
                ]
                for follower in followers:
                    follower.start()
                reader = GroupReader(self._bootstrap, [topics.SIGHTINGS], GROUP)
            except BusError as error:
                log.warning("broker %s: %s", self._bootstrap, error)
                self._end(followers)
                self._stop.wait(RETRY_S)
        if reader is not None:
            try:
                self._keep(reader)
            finally:
                reader.close()
                self._end(followers)

    def take_key(self, record: Record) -> None:
        """The key of a day is there, or was thrown away: then the day is deleted."""
        message = decode(record.value or b"", FaceKey)
        if message.site != self._keys.site:
            return
        if not message.wrapped:
            self._gone.add(message.day)
        try:
            self._keys.take(message, self._master)
        except VaultError as error:
            log.error("%s", error)
        if not message.wrapped:
            self._folder.drop(message.day)

    def take_person(self, record: Record) -> None:
        """Somebody is enrolled no more, or again."""
        message = decode(record.value or b"", GalleryChange)
        change = message.change
        if message.site != self._keys.site:
            return
        match change:
            case RemovedPerson(kind="person", id=person_id):
                self._removed.add(person_id)
                self._groups.pop(person_id, None)
            case SetPerson(id=person_id, group=group):
                self._groups[person_id] = group
                self._removed.discard(person_id)
                self._forgotten.discard(person_id)

    def forget(self) -> bool:
        """What was said to be people who are enrolled no more is deleted: in one pass for all of them.

        What fails is tried again with the next change of the gallery, which comes within a quarter of an hour.
        """
        removed = frozenset(self._removed)
        if removed:
            self._forgotten |= removed  # before it is deleted: what is read meanwhile is not kept any more
            try:
                count = self._folder.forget(lambda sighting: sighting.person_id in removed)
            except OSError:
                log.exception("sightings of people who were removed are not deleted yet")
            else:
                self._removed -= removed
                log.info("%d sightings of people who were removed are deleted", count)
        return False

    def age(self, now_ms: int) -> None:
        """Once a day what cameras saw of some class of people is older than it may be: that is deleted."""
        today, retention = day_of(now_ms), self._faces.retention
        spoken = (kept.seen_days for kept in (*retention.groups.values(), retention.unknown))
        least = min((days for days in spoken if days is not None), default=None)
        if today == self._aged_on or least is None:
            return
        count = self._folder.forget(lambda sighting: self._is_over(sighting, now_ms), math.ceil(today - least))
        self._aged_on = today
        log.info("%d sightings were older than their class of people is kept", count)

    def take(self, records: list[Record]) -> None:
        """Keep the sightings in these records, but for those of people who were removed meanwhile."""
        sightings = []
        for record in records:
            try:
                sighting = decode(record.value or b"", Sighting)
            except ContractError:
                continue  # the site job reads the same record and writes the dead letter
            kept = day_of(sighting.at_ms) not in self._gone and sighting.person_id not in self._forgotten
            if sighting.site == self._keys.site and kept:
                sightings.append(
                    replace(sighting, runners_up=())
                )  # nobody asks for them, and the version before had names in them
        self._folder.add(sightings)

    def _is_over(self, sighting: Sighting, now_ms: int) -> bool:
        """Whether its day ended longer ago than its class of people is kept; who is in no gallery yet is left alone."""
        group = self._groups.get(sighting.person_id) if sighting.person_id else None
        if sighting.person_id and group is None:
            return False
        days = self._faces.retention.of(group).seen_days
        return days is not None and (day_of(sighting.at_ms) + 1 + days) * DAY_MS <= now_ms

    def _keep(self, reader: GroupReader) -> None:
        while not self._stop.is_set():
            now_ms = self._clock()
            if now_ms - self._tidied_at_ms >= TIDY_EVERY_MS:
                self._folder.tidy(now_ms, self._faces.keep_days)
                self.age(now_ms)
                self._tidied_at_ms = now_ms
            records = reader.read(POLL_S, BATCH)
            if records:
                self.take(records)
                reader.commit()
            if self._copies is not None:
                self._copies.put()

    @staticmethod
    def _end(followers: list[Follower]) -> None:
        for follower in followers:
            follower.stop()
