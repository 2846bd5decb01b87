"""The history process: what tracks, events, alerts and windows say, into the folder, until it is stopped."""

from __future__ import annotations

import logging
import threading
import time

from archive.history.keeper import Keeper
from archive.letters import Clock, Letters
from bus.consuming import Record
from bus.errors import BusError
from bus.places import PlacedReader
from contracts import topics
from contracts.errors import ContractError

log = logging.getLogger(__name__)

SOURCE = "history"
SAID = (topics.EVENTS, topics.ALERTS, topics.ANALYTICS)
"""Read before the tracks, so that a track that is over has heard all that spoke of it."""
BATCH = 500
POLL_S = 0.25
RETRY_S = 1.0


class Service:
    """Reads until `stop`, and commits every `write_every_s`."""

    def __init__(
        self,
        bootstrap: str,
        keeper: Keeper,
        letters: Letters,
        *,
        write_every_s: float,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._bootstrap = bootstrap
        self._keeper = keeper
        self._letters = letters
        self._write_every_s = write_every_s
        self._clock = clock
        self._stop = stop
        self._due_s = 0.0

    def run(self) -> None:
        """Work until `stop` is set; what is held then is committed. Raises OSError: the supervisor starts it again."""
        while not self._stop.is_set():
            try:
                self._read()
            except BusError as error:
                log.warning("broker %s: %s", self._bootstrap, error)
                self._stop.wait(RETRY_S)
        self._keeper.commit(self._clock())

    def _read(self) -> None:
        said = self._reader(SAID)
        try:
            tracks = self._reader((topics.TRACKS,))
            try:
                self._due_s = time.monotonic() + self._write_every_s
                while not self._stop.is_set():
                    self._handle(said.read(0.0 if said.caught_up else POLL_S, BATCH))
                    if said.caught_up:
                        self._handle(tracks.read(POLL_S, BATCH))
                    if self._keeper.is_full or time.monotonic() >= self._due_s:
                        self._keeper.commit(self._clock())
                        self._due_s = time.monotonic() + self._write_every_s
            finally:
                tracks.close()
        finally:
            said.close()

    def _reader(self, names: tuple[str, ...]) -> PlacedReader:
        made = PlacedReader(self._bootstrap, names, self._keeper.cluster, self._keeper.places())
        self._keeper.read_from(made.cluster)
        return made

    def _handle(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._keeper.take(record, self._clock())
            except ContractError as error:
                log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error)
                if not self._letters.send_for_sure(record, error.reason, self._stop):
                    return  # stopped: it and those after it come again
                self._keeper.pass_by(record)
