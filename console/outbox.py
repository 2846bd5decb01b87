"""What the console has to tell the others goes from the store to the broker: in order, and until it is acknowledged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import OperationalError

from bus.errors import BusError, RefusedError, WrongClockError
from bus.producer import BY_KEY, KafkaLink, Link
from console.store.answers import Waiting
from console.store.store import Store
from console.worker import WokenWorker

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it looks when nobody woke it."""
RETRY_S = 1.0
BATCH = 100


class Outbox(WokenWorker):
    """One thread. At least once: a record whose acknowledgement was lost goes again, so readers keep one of each id.

    What is not acknowledged when it ends is sent after the next start.
    """

    def __init__(
        self,
        bootstrap: str,
        store: Store,
        clock_ms: Callable[[], int],
        connect: Callable[[str], Link] = KafkaLink,
    ) -> None:
        super().__init__("outbox")
        self._bootstrap = bootstrap
        self._store = store
        self._clock_ms = clock_ms
        self._connect = connect

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                link = self._connect(self._bootstrap)
            except BusError as error:
                log.debug("the broker is away: %s", error)
                self._stop.wait(RETRY_S)
                continue
            try:
                self._serve(link)
            except Exception:
                log.exception("sending failed; again with a new connection")
                self._stop.wait(RETRY_S)
            finally:
                link.close(0.5)

    def _serve(self, link: Link) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                waiting = self._store.answers.unsent(BATCH)
                if waiting:
                    done = self._send(link, waiting)
                    self._store.answers.sent(done)
                    if len(done) < len(waiting):
                        return  # on a new connection
            except OperationalError as error:
                log.warning("the store is away: %s", error.orig)
                waiting = []
                self._stop.wait(RETRY_S)
            if not waiting:
                self._woken.wait(LOOK_S)

    def _send(self, link: Link, waiting: Sequence[Waiting]) -> list[int]:
        """Send records and wait for every answer; returns those that are done with."""
        reports: dict[int, BusError | None] = {}
        changed = threading.Condition()

        def report(number: int, error: BusError | None) -> None:
            with changed:
                reports[number] = error
                changed.notify()

        for one in waiting:
            self._hand_over(link, one, report)
        with changed:
            while len(reports) < len(waiting) and not self._stop.is_set():
                changed.wait(0.5)
            return [number for number, error in reports.items() if _is_done(number, error)]

    def _hand_over(self, link: Link, one: Waiting, report: Callable[[int, BusError | None], None]) -> None:
        try:
            link.send(
                one.topic,
                one.key,
                one.value,
                partition=BY_KEY,
                timestamp_ms=self._clock_ms(),
                acked=lambda _: report(one.number, None),
                failed=lambda error: report(one.number, error),
            )
        except BusError as error:
            report(one.number, error)


def _is_done(number: int, error: BusError | None) -> bool:
    """Acknowledged, or never to be taken; anything else is tried again."""
    if error is None:
        return True
    if isinstance(error, RefusedError) and not isinstance(error, WrongClockError):
        log.error("the broker refuses record %d of the outbox for good: %s", number, error)
        return True
    log.warning("record %d of the outbox is not acknowledged, again: %s", number, error)
    return False
