"""What the console does by itself: escalates alerts that nobody looks after, and lets go what is old."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import OperationalError

from console import answers
from console.answers import Escalate
from console.hub import Change, Hub
from console.store.rows import SEVERITIES, AlertRow
from console.store.store import Store
from console.worker import Worker
from contracts import metrics
from contracts.config import Console
from contracts.fields import QUESTION, Severity
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

TICK_S = 1.0
MINUTE_MS = 60_000
COUNT_MS = 10 * MINUTE_MS
FORGET_MS = 60 * MINUTE_MS
DAY_MS = 86_400_000


class Upkeep(Worker):
    """One thread that calls `step` every second. Each step is done again where the last was cut off.

    `chores` are what others do every second: what one raises keeps nothing else from being done.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        config: Console,
        measured: Metrics,
        clock_ms: Callable[[], int],
        chores: Sequence[Callable[[int], None]] = (),
    ) -> None:
        super().__init__("upkeep")
        self._store = store
        self._hub = hub
        self._config = config
        self._metrics = measured
        self._clock_ms = clock_ms
        self._chores = chores
        self._counted_at_ms = clock_ms()
        self._forgot_at_ms = -FORGET_MS

    def step(self, now_ms: int) -> None:
        """Do what is due at `now_ms`."""
        self._store.database.wipe_again()
        for severity in SEVERITIES:
            self._escalate(severity, now_ms)
            self._metrics.gauge(metrics.OPEN_ALERTS, severity).set(0)
        for severity, count in self._store.alerts.open_counts().items():
            self._metrics.gauge(metrics.OPEN_ALERTS, severity).set(count)
        self._metrics.gauge(metrics.CONSOLE_OUTBOX).set(self._store.answers.unsent_count())
        if now_ms - self._counted_at_ms >= COUNT_MS:
            self._store.alerts.count_dimensions()
            self._counted_at_ms = now_ms
        if now_ms - self._forgot_at_ms >= FORGET_MS:
            self._forget(now_ms)
            self._forgot_at_ms = now_ms

    def _escalate(self, severity: Severity, now_ms: int) -> None:
        after_s: float = getattr(self._config.escalate_after_s, severity)
        if not after_s:
            return
        for waiting in self._store.alerts.waiting(severity, now_ms - round(after_s * 1000)):
            with self._store.database.write() as connection:
                (row,) = self._store.alerts.rows_of(connection, [waiting.id]) or (None,)
                if row is None or row.status != "open" or row.escalated_at_ms:
                    continue  # somebody was faster
                done = answers.write(self._store, connection, "", row, Escalate(), at_ms=now_ms, answer_id="")
            self._hub.changed([Change(row, done)])

    def _forget(self, now_ms: int) -> None:
        """Delete alerts that are older than the config keeps them, a thousand at a time."""
        before_ms = now_ms - round(self._config.keep_days * DAY_MS)
        gone = 0
        while not self._stop.is_set() and before_ms > 0:
            some = self._store.alerts.forget(before_ms, now_ms)
            gone += some
            if not some:
                break
        if gone:
            details = {"alerts": gone, "before_ms": before_ms}
            self._store.audit.record(at_ms=now_ms, who="", action="retention", subject="alerts", details=details)
            log.info("%d alerts were older than %g days and are deleted", gone, self._config.keep_days)
        self._store.notifications.forget(before_ms)
        self._store.accounts.expire(now_ms)
        self._store.agents.expire(now_ms)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            for chore in (self.step, *self._chores):
                try:
                    chore(self._clock_ms())
                except OperationalError as error:
                    log.warning("the store is away, again in a second: %s", error.orig)
                except Exception:
                    log.exception("upkeep failed, again in a second")


def meter(measured: Metrics) -> Callable[[Change], None]:
    """A listener of the hub that counts answers and measures how long alerts waited for their acknowledgement.

    A question is no alert: who answers one says nothing of how good those are.
    """

    def measure(change: Change) -> None:
        before, after = change.before, change.after
        if after.kind == QUESTION:
            return
        if after.escalated_at_ms != before.escalated_at_ms:
            measured.counter(metrics.ESCALATIONS, after.severity).inc()
        if after.verdict != before.verdict:
            measured.counter(metrics.VERDICTS, after.rule, after.verdict).inc()
        if change.identity is not None:
            measured.counter(metrics.IDENTITY_ANSWERS, change.identity).inc()
        if after.acknowledged_at_ms and not before.acknowledged_at_ms:
            measured.histogram(metrics.TIME_TO_ACKNOWLEDGE, after.severity).observe(_waited_s(after))

    return measure


def _waited_s(row: AlertRow) -> float:
    return max(0, row.acknowledged_at_ms - row.received_at_ms) / 1000
