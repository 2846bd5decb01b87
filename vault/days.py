"""Keys by day: what is sealed says which day's key opens it, and a day whose key is gone can't be read any more."""

from __future__ import annotations

import struct

from contracts.people import FaceKey
from vault.errors import VaultError
from vault.master import MasterKey
from vault.sealing import Key, opened, sealed

DAY_MS = 86_400_000
_HEAD = struct.Struct(">BI")
_FORM = 1


class DayKeys:
    """The keys of a site's days, by day (days since the epoch, UTC). Threads may share it."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._about = f"{site}/faces/".encode()
        self._keys: dict[int, Key] = {}

    @property
    def days(self) -> tuple[int, ...]:
        """The days whose keys are known."""
        return tuple(sorted(self._keys))

    def put(self, day: int, key: Key) -> None:
        """From now on `day` can be sealed and opened."""
        self._keys[day] = key

    def drop(self, day: int) -> None:
        """What was sealed on `day` can't be opened any more."""
        self._keys.pop(day, None)

    def take(self, message: FaceKey, master: MasterKey) -> None:
        """Put or drop the key of a day as the topic `face-keys` says; raises VaultError where `master` is another."""
        if message.site != self.site:
            return
        if message.wrapped:
            self.put(message.day, master.unwrap(message.wrapped, key_name(message.site, message.day)))
        else:
            self.drop(message.day)

    def seal(self, at_ms: int, plain: bytes) -> bytes:
        """`plain` under the key of that time's day (33 bytes longer); raises VaultError where there is none."""
        day = day_of(at_ms)
        head = _HEAD.pack(_FORM, day)
        return head + sealed(self._of(day), plain, self._about + head)

    def open(self, data: bytes) -> bytes:
        """What was sealed; raises VaultError where the day's key is gone or the bytes were changed."""
        day = sealed_day(data)
        head = data[: _HEAD.size]
        return opened(self._of(day), data[_HEAD.size :], self._about + head)

    def _of(self, day: int) -> Key:
        key = self._keys.get(day)
        if key is None:
            raise VaultError(f"{self._about.decode()}{day}: the key of this day is not there")
        return key


def key_name(site: str, day: int) -> str:
    """The name under which the key of a day is wrapped."""
    return f"day/{site}/{day}"


def day_of(at_ms: int) -> int:
    """The day of a time, in days since the epoch (UTC)."""
    return at_ms // DAY_MS


def sealed_day(data: bytes) -> int:
    """The day under whose key this was sealed; raises VaultError for bytes that `DayKeys.seal` can't have given."""
    if len(data) < _HEAD.size or data[0] != _FORM:
        raise VaultError("not sealed by a day's key")
    day: int = _HEAD.unpack_from(data)[1]
    return day
