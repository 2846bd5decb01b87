"""One channel's notifications on their way: in order, again after a failure, many at once as a digest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from console.evidence import EvidenceReader
from console.notify.parcel import Event, Parcel, Wording
from console.notify.senders import DeliveryError, Sender
from console.secrets import Secrets
from console.store.notifications import NotificationRow
from console.store.store import Store
from console.worker import WokenWorker
from contracts import metrics
from contracts.config import AlertmanagerChannel, AppriseChannel, Channel
from contracts.errors import ConfigError
from contracts.messages import Alert
from contracts.metrics import Metrics
from contracts.trace import Span, child
from telemetry import Tracer

log = logging.getLogger(__name__)

ENDS_WITHIN_S = 1.0
"""One that hangs in a network call is left behind: what was not sent by then is sent after the next start."""
LOOK_S = 0.5
SOON_S = 0.1
BACKOFF_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
MAX_BUNDLE = 500
PICTURE_MS = 3000
"""Evidence is written a little after its alert: for so long a message waits for its picture."""
FIRING_MS = 86_400_000
"""Alertmanager is told for a day of what goes on; an alert without an end by then has lost it."""


@dataclass(frozen=True)
class Standing:
    """How a channel does: since when (ms, 0: not) and with what last error it fails, and when it is tried again."""

    failing_since_ms: int = 0
    error: str = ""
    failures: int = 0
    again_at_ms: int = 0


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]


def bundle(due: Sequence[NotificationRow], most: int | None) -> Sequence[NotificationRow]:
    """Which of the waiting notifications go together, as the next message.

    `most` None is a channel that takes all at once. Tests go alone. What was collected goes as one, and so does what
    has become more than `most` while the channel was away: nobody wants them one by one then.
    """
    if due[0].event == "test":
        return due[:1]
    alerts = [row for row in due if row.event != "test"]
    together = most is None or len(alerts) > most or any(row.reason == "collected" for row in alerts)
    return alerts if together else alerts[:1]


class Courier(WokenWorker):
    """One thread for one channel: a channel that hangs or fails keeps no other waiting."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        open_sender: Callable[[], Sender],
        store: Store,
        wording: Wording,
        evidence: EvidenceReader,
        secrets: Secrets,
        measured: Metrics,
        tracer: Tracer,
        clock_ms: Callable[[], int],
    ) -> None:
        super().__init__(f"notify {name}", ENDS_WITHIN_S)
        self.name = name
        self.channel = channel
        self.standing = Standing()
        self._open_sender = open_sender
        self._sender: Sender | None = None
        self._store = store
        self._wording = wording
        self._evidence = evidence
        self._secrets = secrets
        self._metrics = measured
        self._tracer = tracer
        self._clock_ms = clock_ms
        self._repeat_at_ms = 0

    def step(self, now_ms: int) -> float:
        """Send the next message, if one is due; returns in how many seconds to look again."""
        due = self._store.notifications.due(self.name, now_ms, MAX_BUNDLE)
        if due and due[0].event == "test":
            return self._send(due[:1], now_ms)  # whoever waits for it wants to know now
        if now_ms < self.standing.again_at_ms:
            return LOOK_S
        if not due:
            self._repeat(now_ms)
            return LOOK_S
        most = None if isinstance(self.channel, AlertmanagerChannel) else self.channel.max_per_minute
        return self._send(bundle(due, most), now_ms)

    def _send(self, rows: Sequence[NotificationRow], now_ms: int) -> float:
        ids = dict.fromkeys(row.alert for row in rows)
        bodies = {alert: body for alert in ids if (body := self._store.alerts.body(alert))}
        gone = [row.number for row in rows if row.alert and row.alert not in bodies]
        if gone:
            self._store.notifications.done(gone, "withheld", now_ms, reason="gone")
            return 0.0
        parcel = self._parcel(rows, bodies)
        if parcel.picture is None and self._awaits_picture(rows, bodies, now_ms):
            return SOON_S
        numbers = [row.number for row in rows]
        error = self._deliver(parcel, now_ms)
        if error is None:
            self._store.notifications.done(numbers, "sent", now_ms)
            self._count("sent", len(numbers))
            self._trace(rows, bodies)
            if parcel.picture is not None:
                self._audit(rows[0], now_ms)
            return 0.0
        self._failed(rows, error, now_ms)
        return 0.0

    def _deliver(self, parcel: Parcel, now_ms: int) -> DeliveryError | None:
        """Hand the parcel over; returns what was wrong, redacted, and keeps it as the channel's standing."""
        try:
            if self._sender is None:
                self._sender = self._open_sender()
            self._sender.deliver(parcel, now_ms)
        except (DeliveryError, ConfigError) as raised:
            error = DeliveryError(self._secrets.redact(str(raised)), refused=getattr(raised, "refused", False))
        except Exception as raised:  # noqa: BLE001  a service's own code: whatever it raises, the channel is at fault
            error = DeliveryError(self._secrets.redact(f"{type(raised).__name__}: {raised}")[:300])
        else:
            self.standing = Standing()
            return None
        failures = self.standing.failures + (0 if error.refused else 1)
        since_ms = self.standing.failing_since_ms or now_ms
        again_at_ms = now_ms if error.refused else now_ms + round(backoff_s(failures) * 1000)
        self.standing = Standing(since_ms, str(error), failures, again_at_ms)
        log.warning("channel %s: %s", self.name, error)
        return error

    def _failed(self, rows: Sequence[NotificationRow], error: DeliveryError, now_ms: int) -> None:
        """Those that are refused, too old or only tests are given up; the others are tried again."""
        over = [
            row.number
            for row in rows
            if error.refused or row.event == "test" or now_ms - row.at_ms > self.channel.give_up_s * 1000
        ]
        left = [row.number for row in rows if row.number not in over]
        if over:
            self._store.notifications.done(over, "failed", now_ms, error=str(error))
            self._count("failed", len(over))
        if left:
            self._store.notifications.again(left, str(error), self.standing.again_at_ms)
            self._count("retried", len(left))

    def _parcel(self, rows: Sequence[NotificationRow], bodies: dict[str, Alert]) -> Parcel:
        first, last = rows[0], rows[-1]
        # The numbers of both ends: a digest that has grown since a try that failed is another message.
        id = f"{first.at_ms}-{first.number}" + (f"-{last.number}" if last is not first else "")
        if first.event == "test":
            return self._wording.test(id, first.title, first.at_ms)
        if len(bodies) == 1:
            alert = bodies[first.alert]
            event: Event = last.event
            return self._wording.single(id, event, alert, last.at_ms, self._picture(alert))
        return self._wording.digest(id, list(bodies.values()), last.at_ms)

    def _picture(self, alert: Alert) -> bytes | None:
        if not isinstance(self.channel, AppriseChannel) or not self.channel.snapshot:
            return None
        return self._evidence.snapshot(alert)

    def _awaits_picture(self, rows: Sequence[NotificationRow], bodies: dict[str, Alert], now_ms: int) -> bool:
        wants = isinstance(self.channel, AppriseChannel) and self.channel.snapshot and len(bodies) == 1
        young = now_ms - rows[0].at_ms < PICTURE_MS
        return wants and young and next(iter(bodies.values())).evidence is not None

    def _repeat(self, now_ms: int) -> None:
        """Tell Alertmanager again of what goes on: it forgets what it isn't told."""
        if not isinstance(self.channel, AlertmanagerChannel) or now_ms < self._repeat_at_ms:
            return
        self._repeat_at_ms = now_ms + round(self.channel.repeat_s * 1000)
        ids = self._store.notifications.firing(self.name, now_ms - FIRING_MS)
        alerts = [body for one in ids if (body := self._store.alerts.body(one))]
        if alerts:
            self._deliver(self._wording.digest(f"{now_ms}-repeat", alerts, now_ms), now_ms)

    def _audit(self, row: NotificationRow, now_ms: int) -> None:
        """A picture that goes out is a look at it."""
        details = {"picture": "snapshot", "camera": row.camera, "channel": self.name}
        self._store.audit.record(at_ms=now_ms, who="", action="notify", subject=row.alert, details=details)

    def _trace(self, rows: Sequence[NotificationRow], bodies: dict[str, Alert]) -> None:
        """From what happened to an alert until its message was taken."""
        for row in rows:
            stored = child(bodies[row.alert].traceparent, "store") if row.alert else ""
            if stored:
                own = child(stored, "notify", self.name, row.number)
                said = {"channel": self.name, "event": row.event}
                self._tracer.record(Span("notify", own, stored, row.at_ms, self._clock_ms(), said))

    def _count(self, outcome: str, number: int) -> None:
        self._metrics.counter(metrics.NOTIFICATIONS, self.name, outcome).inc(number)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                wait_s = self.step(self._clock_ms())
            except OperationalError as error:
                log.warning("channel %s: the store is away: %s", self.name, error.orig)
                wait_s = BACKOFF_S[0]
            except Exception:
                log.exception("channel %s: a step failed, again", self.name)
                wait_s = BACKOFF_S[1]
            if wait_s:
                self._woken.wait(wait_s)
