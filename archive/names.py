"""What enrolled people are called, as the topic `gallery` tells who has the master key: for what shows messages."""

from __future__ import annotations

import logging
import threading

import msgspec

from bus.consuming import Record
from bus.errors import BusError
from bus.follower import Follower
from contracts import topics
from contracts.codec import decode
from contracts.decoding import msgpack_decoder
from contracts.naming import mention
from contracts.people import GalleryChange, PersonSecret, RemovedPerson, SetPerson
from vault import MasterKey, VaultError, opened

log = logging.getLogger(__name__)

_SECRET = msgpack_decoder(PersonSecret)


class GalleryNames:
    """Follows the topic from the first name on that is asked for. Threads may share it."""

    def __init__(self, bootstrap: str, master: MasterKey | None) -> None:
        self._bootstrap = bootstrap
        self._master = master
        self._lock = threading.Lock()
        self._follower: Follower | None = None
        self._names: dict[str, tuple[int, str]] = {}

    def __call__(self, person_id: str) -> str:
        """The person's name, "" for one who is removed; without the right master key, or the topic, the id again."""
        if self._master is None or not self._follows():
            return mention(person_id)
        return self._names.get(person_id, (0, ""))[1]

    def take(self, record: Record) -> None:
        """One change; raises ContractError for what is none."""
        message = decode(record.value or b"", GalleryChange)
        match message.change:
            case SetPerson() as person:
                name = self._opened(person)
            case RemovedPerson(kind="person"):
                name = ""
            case _:
                return
        if message.version >= self._names.get(message.change.id, (0, ""))[0]:
            self._names[message.change.id] = (message.version, name)

    def close(self) -> None:
        """End."""
        if self._follower is not None:
            self._follower.stop()

    def _opened(self, person: SetPerson) -> str:
        assert self._master is not None
        about = f"person/{person.id}"
        try:
            key = self._master.unwrap(person.wrapped, about)
            return _SECRET.decode(opened(key, person.sealed, about.encode())).name
        except (VaultError, msgspec.MsgspecError):
            return mention(person.id)

    def _follows(self) -> bool:
        with self._lock:
            if self._follower is None:
                follower = Follower(self._bootstrap, topics.GALLERY, self.take)
                try:
                    follower.start()
                except BusError as error:
                    log.info("names can't be read: %s", error)
                    return False
                self._follower = follower
            return True
