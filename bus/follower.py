"""Follows a compacted topic in a thread: first what it holds, before anything else happens, then what comes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from bus.consuming import Record
from bus.errors import BusError
from bus.reader import Reader

log = logging.getLogger(__name__)

POLL_S = 1.0
RETRY_S = 1.0
SLICE = 25
"""After so many records in a row the thread lets the others have the interpreter: each may cost some 50 µs."""
BREATH_S = 0.001
LULL_S = 0.02
SETTLE_S = 0.3
"""What was taken is settled once nothing more comes for LULL_S, in a flood every SETTLE_S."""


class Follower:
    """Gives each record of `topic` to `take`: in `start` those that are there, later ones from a thread of its own.

    What `take` raises for a record is logged, and the next one is taken; so is what `settle` raises later. `settle` is
    for what is dear to do with each: it is called after records that came together, and again, with looks for more
    records in between, while it says that there is more to do.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        take: Callable[[Record], None],
        settle: Callable[[], bool] = lambda: False,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._take = take
        self._settle = settle
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns once all that the topic holds has been taken; raises BusError where it can't be read."""
        reader = self._held()
        self._begin(lambda: self._follow(reader))

    def begin(self) -> None:
        """Returns at once: the thread waits for a broker that is away, and then takes what the topic holds."""
        self._begin(self._connect)

    def stop(self) -> None:
        """End within two seconds."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(2 * POLL_S)

    def _begin(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name=f"follow {self._topic}", daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        while not self._stopped.is_set():
            try:
                reader = self._held()
            except BusError as error:
                log.debug("%s waits for the broker: %s", self._topic, error)
                self._stopped.wait(RETRY_S)
            else:
                self._follow(reader)

    def _held(self) -> Reader:
        reader = Reader(self._bootstrap, self._topic)
        try:
            for record in reader.held():
                self._give(record)
            while self._settle():
                pass
        except BaseException:
            reader.close()
            raise
        return reader

    def _follow(self, reader: Reader) -> None:
        unsettled, settled_s = False, time.monotonic()
        while not self._stopped.is_set():
            try:
                records = reader.read(LULL_S if unsettled else POLL_S)
            except BusError:
                log.exception("reading %s failed; trying again", self._topic)
                self._stopped.wait(RETRY_S)
                continue
            for number, record in enumerate(records, 1):
                self._give(record)
                if number % SLICE == 0:
                    time.sleep(BREATH_S)
            unsettled = unsettled or bool(records)
            if unsettled and (not records or time.monotonic() - settled_s >= SETTLE_S):
                unsettled, settled_s = self._settled(), time.monotonic()
        reader.close()

    def _settled(self) -> bool:
        try:
            return self._settle()
        except Exception:
            log.exception("what came on %s was not settled", self._topic)
            return False

    def _give(self, record: Record) -> None:
        try:
            self._take(record)
        except Exception:
            log.exception("%s[%d] %d was not taken", record.topic, record.partition, record.offset)
