"""Follows `edge-controls`: cameras and rates that are changed while the agent runs, and addresses to try."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable

from bus.consuming import Record
from bus.errors import BusError
from bus.reader import Reader
from contracts import metrics
from contracts.codec import decode
from contracts.controls import EdgeChange, EdgeControl
from contracts.errors import ContractError
from contracts.messages import DeadLetter
from contracts.metrics import Metrics
from contracts.topics import EDGE_CONTROLS

log = logging.getLogger(__name__)

SOURCE = "edge"
MAX_DEAD_LETTER_BYTES = 64 * 1024
RETRY_S = 1.0
POLL_S = 0.5


class ControlFollower:
    """Reads the topic from its beginning (it is compacted: the last word on each camera stands in it) and goes on."""

    def __init__(
        self,
        *,
        site: str,
        bootstrap: str,
        apply: Callable[[EdgeChange], None],
        dead_letter: Callable[[DeadLetter], None],
        now_ms: Callable[[], int],
        made: Metrics,
    ) -> None:
        self._site, self._bootstrap, self._apply = site, bootstrap, apply
        self._dead_letter, self._now_ms, self._metrics = dead_letter, now_ms, made
        self._stop = threading.Event()
        self._again = threading.Event()
        self._told = threading.Event()
        self._next = 0
        self._thread = threading.Thread(target=self._run, name="controls", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def reconnect(self) -> None:
        """Read on over a new connection, with the credentials of now."""
        self._again.set()

    def wait_told(self, timeout_s: float) -> bool:
        """Whether all that the topic held was applied, waiting for it at most so long."""
        return self._told.wait(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def handle(self, value: bytes | None, partition: int, offset: int) -> None:
        """Apply one record; what can't be understood or makes no sense becomes a dead letter."""
        if value is None:
            return
        try:
            control = decode(value, EdgeControl)
            if control.site == self._site:
                self._apply(control.change)
        except (ContractError, ValueError) as error:
            self._metrics.counter(metrics.DEAD_LETTERS, SOURCE).inc()
            log.warning("a control was refused", extra={"offset": offset, "error": str(error)})
            self._dead_letter(self._letter(value, partition, offset, str(error)))

    def _letter(self, value: bytes, partition: int, offset: int, reason: str) -> DeadLetter:
        return DeadLetter(
            topic=EDGE_CONTROLS,
            partition=partition,
            offset=offset,
            source=SOURCE,
            reason=reason,
            sha256=hashlib.sha256(value).hexdigest(),
            size=len(value),
            payload=value[:MAX_DEAD_LETTER_BYTES],
            at_ms=self._now_ms(),
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (BusError, OSError) as error:  # OSError: what has to be kept of it can't be
                log.info("edge-controls can't be followed", extra={"error": str(error)})
                self._stop.wait(RETRY_S)

    def _follow(self) -> None:
        self._again.clear()
        with Reader(self._bootstrap, EDGE_CONTROLS) as reader:
            for record in reader.held():
                self._take(record)
            self._told.set()
            while not (self._stop.is_set() or self._again.is_set()):
                for record in reader.read(POLL_S):
                    self._take(record)

    def _take(self, record: Record) -> None:
        if record.offset >= self._next:  # else it was applied before the connection was lost
            self.handle(record.value, record.partition, record.offset)
            self._next = record.offset + 1
