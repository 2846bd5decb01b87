"""The keys of a site's days, as the topic `face-keys` has them: what cameras see of faces is sealed under them."""

from __future__ import annotations

from bus.consuming import Record
from bus.follower import Follower
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.people import FaceKey
from stream.jobs.letters import Letters
from vault import DayKeys, MasterKey, VaultError


class DayKeyWatch:
    """Follows the topic; `keys` always has the days that can be sealed and opened. Threads may share it."""

    def __init__(self, site: str, master: MasterKey, letters: Letters) -> None:
        self.keys = DayKeys(site)
        self._master = master
        self._letters = letters

    def start(self, bootstrap: str, topic: str) -> None:
        """Read all keys that there are, then follow the topic; raises BusError."""
        Follower(bootstrap, topic, self.take).start()

    def take(self, record: Record) -> None:
        """One record: a day has a key from now on, or no longer."""
        try:
            if record.value is None:
                raise ContractError("no value: a key that was thrown away is a message of its own")
            self.keys.take(decode(record.value, FaceKey), self._master)
        except (ContractError, VaultError) as error:
            self._letters.put(record, str(error))
