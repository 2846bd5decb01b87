"""What evidence tells others: what became of an alert's evidence."""

from __future__ import annotations

import logging
import threading

from archive.evidence.frames import Stopped
from archive.letters import Clock
from bus.errors import BusError
from bus.producer import KafkaLink, deliver
from contracts import topics
from contracts.codec import encode
from contracts.messages import EvidenceNote

log = logging.getLogger(__name__)

ANSWER_S = 2.0
RETRY_S = 0.5


class Notes:
    """Writes notes and waits until the broker has them. Connects on the first one; for one thread."""

    def __init__(self, bootstrap: str, clock: Clock, stop: threading.Event) -> None:
        self._bootstrap = bootstrap
        self._clock = clock
        self._stop = stop
        self._made: KafkaLink | None = None

    def tell(self, note: EvidenceNote) -> None:
        """A note, however long the broker is away; raises Stopped."""
        while not self._stop.is_set():
            try:
                if self._made is None:
                    self._made = KafkaLink(self._bootstrap)
                deliver(self._made, topics.EVIDENCE, note.alert, encode(note), self._clock(), ANSWER_S)
                return
            except BusError as error:
                log.warning("a note was not taken, again: %s", error)
                self._stop.wait(RETRY_S)
        raise Stopped("while telling of evidence")

    def close(self) -> None:
        """Give the connection up."""
        if self._made is not None:
            self._made.close(0.5)
