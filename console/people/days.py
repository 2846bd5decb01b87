"""The keys of days: made ahead of time, told to the jobs again and again, and thrown away when their time is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection

from console.store.store import Store
from contracts import topics
from contracts.codec import encode
from contracts.config import Config
from contracts.people import FaceKey, GalleryChange, RemovedPerson, gallery_key
from contracts.topics import COMPACTED_WITHIN_MS, DAY_MS
from vault import DayKeys, MasterKey, VaultError, day_of, key_name, new_key

log = logging.getLogger(__name__)

ANOTHER = "the master key is not the one that the keys of this site were made with"
AHEAD_DAYS = 7
"""The jobs go on for a week while the console is away."""
BEAT_MS = COMPACTED_WITHIN_MS // 4
"""A segment is closed by a record that comes after half of the bound, and is compacted some seconds later."""
NOBODY = "beat"
"""The id of a denial that never was: its removal is the record that lets the topic's segments roll."""


class Days:
    """Day keys of the site. `keys` open what was seen on the days that are kept. `step` is called every second."""

    def __init__(self, store: Store, config: Config, master: MasterKey | None, wake: Callable[[], None]) -> None:
        self._store = store
        self._site = config.site.name
        self._keep_ms = round(config.faces.keep_days * DAY_MS)
        self._master = master
        self._wake = wake
        self._done_ms = -BEAT_MS
        self._lock = threading.Lock()
        self.keys = DayKeys(self._site)
        self.fault = ""
        """Why nobody can be identified although there is a master key."""

    def step(self, now_ms: int) -> None:
        """Make, tell and throw away what is due at `now_ms`; nothing without a master key."""
        with self._lock:
            if self._master is None or self._is_done(now_ms):
                return
            with self._store.database.write() as connection:
                self._make(connection, self._master, day_of(now_ms))
                gone = self._throw_away(connection, now_ms)
                for day, wrapped in self._kept(connection).items():
                    self._tell(connection, FaceKey(site=self._site, day=day, wrapped=wrapped))
                beat = RemovedPerson(kind="denial", id=NOBODY)
                change = GalleryChange(site=self._site, version=now_ms, change=beat)
                self._store.answers.send(connection, topics.GALLERY, gallery_key(beat), encode(change))
            self._done_ms = now_ms
        self._wake()
        if gone:
            self._store.database.wipe(("keys",))

    def adopt(self, connection: Connection, told: FaceKey, now_ms: int) -> None:
        """Take over a key that the topic has and the database has not: a console before this one made it."""
        if self._master is None or told.site != self._site or not told.wrapped:
            return
        name = key_name(told.site, told.day)
        if self._store.people.key(connection, name) is not None:
            return
        if self._is_over(told.day, now_ms):
            self._tell(connection, FaceKey(site=self._site, day=told.day))
            return
        try:
            key = self._master.unwrap(told.wrapped, name)
        except VaultError:  # left as it is: the right master key may come, and the day's sightings go with its key
            log.error("the key of day %d is left alone: %s", told.day, ANOTHER)
            return
        self._store.people.add_key(connection, name, told.wrapped)
        self.keys.put(told.day, key)

    def _is_done(self, now_ms: int) -> bool:
        return now_ms - self._done_ms < BEAT_MS and day_of(now_ms) == day_of(self._done_ms)

    def _is_over(self, day: int, now_ms: int) -> bool:
        return (day + 1) * DAY_MS + self._keep_ms <= now_ms

    def _make(self, connection: Connection, master: MasterKey, today: int) -> None:
        """Open the keys that there are, and make those that lack: but not under another master key than theirs."""
        kept = self._kept(connection)
        try:
            for day, wrapped in kept.items():
                self.keys.put(day, master.unwrap(wrapped, key_name(self._site, day)))
        except VaultError:
            self.fault = ANOTHER
            log.error("%s: nobody is identified or enrolled until the right one is given", ANOTHER)
            return
        self.fault = ""
        for day in range(today, today + AHEAD_DAYS + 1):
            if day not in kept:
                key, name = new_key(), key_name(self._site, day)
                self._store.people.add_key(connection, name, master.wrap(key, name))
                self.keys.put(day, key)

    def _throw_away(self, connection: Connection, now_ms: int) -> bool:
        gone = [day for day in self._kept(connection) if self._is_over(day, now_ms)]
        self._store.people.drop_keys(connection, [key_name(self._site, day) for day in gone])
        for day in gone:
            self.keys.drop(day)
            self._tell(connection, FaceKey(site=self._site, day=day))
        if gone:
            details = {"days": [gone[0], gone[-1]]}
            self._store.audit.add(
                connection, at_ms=now_ms, who="", action="throw keys away", subject="faces", details=details
            )
        return bool(gone)

    def _kept(self, connection: Connection) -> dict[int, bytes]:
        found = self._store.people.keys(connection, f"day/{self._site}/")
        return {int(name.rpartition("/")[2]): wrapped for name, wrapped in found.items()}

    def _tell(self, connection: Connection, key: FaceKey) -> None:
        self._store.answers.send(connection, topics.FACE_KEYS, f"{key.site}/{key.day}", encode(key))
