"""Who is on a watch-list: the groups of enrolled people, as the topic `gallery` tells them. No names, no faces."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from bus.consuming import Record
from contracts.codec import decode
from contracts.messages import TrackedObject
from contracts.people import GalleryChange, RemovedPerson, SetPerson


class WatchList:
    """Filled by a Follower of `gallery` through `take`; threads may share it."""

    def __init__(self, site: str, groups: Iterable[str]) -> None:
        self._site = site
        self._groups = frozenset(groups)
        self._people: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()

    def take(self, record: Record) -> None:
        """One change of who is enrolled; raises ContractError for what is none."""
        message = decode(record.value or b"", GalleryChange)
        if message.site != self._site:
            return
        match message.change:
            case SetPerson(id=person_id, group=group):
                pass
            case RemovedPerson(kind="person", id=person_id):
                group = ""
            case _:
                return
        with self._lock:
            if message.version >= self._people.get(person_id, (0, ""))[0]:
                self._people[person_id] = (message.version, group)

    def has(self, track: TrackedObject) -> bool:
        """Whether this is somebody of a group that is watched for."""
        who = track.identity
        if who is None or who.decision != "identified":
            return False
        with self._lock:
            return self._people.get(who.person_id, (0, ""))[1] in self._groups
