"""What the topics about people say: who is unknown as the site knows them, and whether the gallery is complete."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy.exc import OperationalError

from bus.consuming import Record
from bus.errors import BusError
from bus.follower import Follower
from bus.presence import wait_for_topics
from bus.reader import Reader
from console.people.days import NOBODY, Days
from console.people.errors import NobodyError, PeopleOffError
from console.people.register import Register
from console.rights import Who
from console.store.store import Store
from console.worker import Worker
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Message
from contracts.people import FaceKey, GalleryChange, RemovedPerson, UnknownSeen, gallery_key
from vault import VaultError

log = logging.getLogger(__name__)

RETRY_S = 2.0
M = TypeVar("M", bound=Message)


class UnknownPeople:
    """Unknown people by pseudonym, as the topic said last. Threads may share it."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._known: dict[str, UnknownSeen] = {}
        self._lock = threading.Lock()

    def take(self, seen: UnknownSeen) -> None:
        """A pseudonym is new, changed or gone."""
        if seen.site != self._site:
            return
        with self._lock:
            if seen.gone:
                self._known.pop(seen.pseudonym, None)
            else:
                self._known[seen.pseudonym] = seen

    def everybody(self) -> list[UnknownSeen]:
        """All of them, whoever saw them."""
        with self._lock:
            return list(self._known.values())

    def all(self, who: Who) -> list[UnknownSeen]:
        """Those whom one of the own cameras saw, with the visits there, the last seen first."""
        shown = (_shown(who, one) for one in self.everybody())
        return sorted((one for one in shown if one.visits), key=lambda one: (-one.last_at_ms, one.pseudonym))

    def get(self, who: Who, pseudonym: str) -> UnknownSeen:
        """One of them; raises NobodyError also where no own camera saw them."""
        with self._lock:
            found = self._known.get(pseudonym)
        shown = _shown(who, found) if found else None
        if shown is None or not shown.visits:
            raise NobodyError("there is no such unknown person (any more)")
        return shown


class PeopleFeed(Worker):
    """One thread: first it brings the topics in line with the database, then it follows `unknowns`."""

    def __init__(
        self,
        bootstrap: str,
        store: Store,
        register: Register,
        days: Days,
        unknowns: UnknownPeople,
        site: str,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        super().__init__("people")
        self._bootstrap = bootstrap
        self._store = store
        self._register = register
        self._days = days
        self._unknowns = unknowns
        self._site = site
        self._clock_ms = clock_ms
        self._wake = wake
        self._follower = Follower(bootstrap, topics.UNKNOWNS, self._take)

    def stop(self) -> None:
        """End."""
        super().stop()
        self._follower.stop()

    def reconcile(self, told: dict[str, GalleryChange], keys: list[FaceKey]) -> None:
        """Tell the jobs what the topic `gallery` lacks (a new broker), and remove whom the database has not (a new
        database, or an older copy of it); take over days' keys that the database has not."""
        now_ms = self._clock_ms()
        with self._store.database.write() as connection:
            people = {one.id: one.version for one in self._store.people.all(connection)}
            known = {f"person/{person}": version for person, version in people.items()}
            known |= {f"denial/{one.id}": one.version for one in self._store.people.denials(connection)}
            for key, message in told.items():
                if key not in known and not isinstance(message.change, RemovedPerson):
                    name = key.partition("/")[2]
                    gone = RemovedPerson(kind="person" if key.startswith("person/") else "denial", id=name)
                    self._register.tell(connection, gone, max(now_ms, message.version + 1))
            lacking = {key for key, version in known.items() if key not in told or told[key].version < version}
            lacking |= {key for key in known if key in told and isinstance(told[key].change, RemovedPerson)}
            owners = {f"denial/{one.id}": one.person for one in self._store.people.denials(connection)}
            for person in {owners.get(key, key.partition("/")[2]) for key in lacking}:
                self._register.tell_again(connection, person)
            for one in keys:
                self._days.adopt(connection, one, now_ms)
        self._wake()

    def _run(self) -> None:
        wanted = {topics.GALLERY, topics.FACE_KEYS, topics.UNKNOWNS}
        while not self._stop.is_set():
            try:
                if not wait_for_topics(self._bootstrap, wanted, self._stop):
                    return
                self.reconcile(self._told(), self._keys())
            except (PeopleOffError, VaultError) as error:
                log.info("the gallery is left as it is: %s", error)
            except (BusError, OperationalError) as error:
                log.warning("the gallery can't be looked at, again: %s", error)
                self._stop.wait(RETRY_S)
                continue
            except Exception:
                log.exception("bringing the gallery in line failed")
            break
        while not self._stop.is_set():
            try:
                return self._follower.start()
            except BusError as error:
                log.warning("unknown people can't be read, again: %s", error)
                self._stop.wait(RETRY_S)

    def _told(self) -> dict[str, GalleryChange]:
        """What the topic says last of each person and denial of this site."""
        told: dict[str, GalleryChange] = {}
        with Reader(self._bootstrap, topics.GALLERY) as reader:
            for record in reader.held():
                message = _decoded(record, GalleryChange)
                if message is None or message.site != self._site:
                    continue
                key = gallery_key(message.change)
                if key != f"denial/{NOBODY}" and (key not in told or told[key].version <= message.version):
                    told[key] = message
        return told

    def _keys(self) -> list[FaceKey]:
        last: dict[tuple[str, int], FaceKey] = {}
        with Reader(self._bootstrap, topics.FACE_KEYS) as reader:
            for record in reader.held():
                message = _decoded(record, FaceKey)
                if message is not None:
                    last[message.site, message.day] = message
        return list(last.values())

    def _take(self, record: Record) -> None:
        message = _decoded(record, UnknownSeen)
        if message is not None:
            self._unknowns.take(message)


def _shown(who: Who, seen: UnknownSeen) -> UnknownSeen:
    return replace(seen, visits=tuple(visit for visit in seen.visits if who.sees(visit.camera)))


def _decoded(record: Record, kind: type[M]) -> M | None:
    try:
        return decode(record.value or b"", kind)
    except ContractError as error:
        log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error.reason)
        return None
