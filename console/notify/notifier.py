"""The outbox of notifications: what happened to alerts becomes messages by the routes, each channel's courier sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from console.evidence import EvidenceReader
from console.notify.courier import Courier, Standing
from console.notify.parcel import Wording, title
from console.notify.policy import Decision, Notice, Policy, PolicyState
from console.notify.senders import open_sender
from console.pages.texts import MESSAGES
from console.rights import Who
from console.secrets import Secrets
from console.store.notifications import ChannelCount, NoticeRow, NotificationRow
from console.store.rows import AlertRow
from console.store.store import Store
from console.worker import Worker
from contracts import metrics
from contracts.config import Channel, Config
from contracts.decoding import from_json
from contracts.errors import VedetteError
from contracts.fields import QUESTION
from contracts.metrics import Metrics
from telemetry import Tracer

log = logging.getLogger(__name__)

LOOK_S = 0.25
RETRY_S = 2.0
BATCH = 200
STATE = "policy"


class NoChannelError(VedetteError):
    """There is no such channel, or it is off."""


@dataclass(frozen=True)
class ChannelView:
    """One channel as the pages show it."""

    name: str
    channel: Channel
    standing: Standing
    count: ChannelCount


class Notifier(Worker):
    """One thread that decides, and one a channel that sends. Without channels in the config it does nothing."""

    def __init__(
        self,
        config: Config,
        *,
        in_force: Callable[[], Config],
        store: Store,
        address: str,
        evidence: EvidenceReader,
        secrets: Secrets,
        measured: Metrics,
        tracer: Tracer,
        clock_ms: Callable[[], int],
    ) -> None:
        super().__init__("notifier")
        given = config.console.notifications
        site = config.site.friendly_name or config.site.name
        self._in_force = in_force
        wording = Wording(site, self._camera_name, config.site.time_zone, address)
        self._time_zone = config.site.time_zone
        self._channels = given.channels
        self._store = store
        self._metrics = measured
        self._clock_ms = clock_ms
        self._couriers = {
            name: Courier(
                name,
                channel,
                open_sender=lambda name=name, channel=channel: open_sender(  # type: ignore[misc]
                    name, channel, secrets, site=config.site.name, address=address
                ),
                store=store,
                wording=wording,
                evidence=evidence,
                secrets=secrets,
                measured=measured,
                tracer=tracer,
                clock_ms=clock_ms,
            )
            for name, channel in given.channels.items()
            if channel.enabled
        }

    def start(self) -> None:
        """Begin."""
        if self._channels:
            super().start()
            for courier in self._couriers.values():
                courier.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        super().stop()
        for courier in self._couriers.values():
            courier.stop()

    def channels(self) -> list[ChannelView]:
        """All channels, and how they do."""
        counts = self._store.notifications.counts()
        return [
            ChannelView(name, channel, self._standing(name), counts.get(name, ChannelCount(0, 0)))
            for name, channel in self._channels.items()
        ]

    def test(self, who: Who, channel: str, now_ms: int) -> int:
        """Have a channel send a test; returns the notification's number. Raises NoChannelError, ForbiddenError."""
        who.need("configure")
        if channel not in self._couriers:
            raise NoChannelError(f"there is no channel {channel[:64]!r} that is on")
        row = NotificationRow(
            channel=channel,
            route=-1,
            event="test",
            alert="",
            camera="",
            title=MESSAGES["title_test"].format(who=who.name),
            status="waiting",
            reason="",
            at_ms=now_ms,
            due_at_ms=now_ms,
        )
        with self._store.database.write() as connection:
            number = self._store.notifications.add(connection, row)
            self._store.audit.add(connection, at_ms=now_ms, who=who.name, action="notify test", subject=channel)
        self._couriers[channel].wake()
        return number

    def step(self) -> int:
        """Decide on notices, oldest first, in one transaction with the state; returns how many there were.

        This one is on the disk, and with it the alerts, before anybody is told: what is told again has the same id.
        """
        with self._store.database.read() as connection:
            pending = self._store.notifications.pending(connection, BATCH)
        if not pending:
            return 0
        with self._store.database.write() as connection:
            rows = list(self._decided(connection, pending))
            self._store.notifications.settle(connection, [one.number for one in pending], rows)
        for channel in {row.channel for row in rows if row.status == "waiting"}:
            self._couriers[channel].wake()
        for row in rows:
            if row.status == "withheld":
                self._metrics.counter(metrics.NOTIFICATIONS, row.channel, "withheld").inc()
        return len(pending)

    def measure(self) -> None:
        """Set what waits for each channel, and whether it fails."""
        for view in self.channels():
            self._metrics.gauge(metrics.NOTIFICATIONS_WAITING, view.name).set(view.count.waiting)
            failing = bool(view.standing.failing_since_ms)
            self._metrics.gauge(metrics.NOTIFICATION_CHANNEL_UP, view.name).set(0 if failing else 1)

    def _decided(self, connection: Connection, pending: list[NoticeRow]) -> Iterator[NotificationRow]:
        state = _state(self._store.notifications.state(connection, STATE))
        policy = Policy(self._in_force().console.notifications, self._time_zone)
        ids = list(dict.fromkeys(one.alert for one in pending))
        alerts = {row.id: row for row in self._store.alerts.rows_of(connection, ids, by_id=True)}
        told = self._store.notifications.told(connection, ids)
        for one in pending:
            alert = alerts.get(one.alert)
            if alert is None or alert.kind == QUESTION:
                continue  # deleted since: nothing can be said of it any more; and nobody is called for a question
            state, decisions = policy.step(state, _notice(one, alert, told.get(one.alert, frozenset())))
            for decision in decisions:
                yield self._row(one, alert, decision)
            if one.event == "new":
                told[one.alert] = frozenset(found.channel for found in decisions if found.due_at_ms)
        self._store.notifications.keep_state(connection, STATE, msgspec.json.encode(state).decode())

    def _row(self, notice: NoticeRow, alert: AlertRow, decision: Decision) -> NotificationRow:
        return NotificationRow(
            channel=decision.channel,
            route=decision.route,
            event=notice.event,
            alert=alert.id,
            camera=alert.camera,
            title=title(notice.event, alert.severity, alert.why, self._camera_name(alert.camera)),
            status="waiting" if decision.due_at_ms else "withheld",
            reason=decision.reason,
            at_ms=notice.at_ms,
            due_at_ms=decision.due_at_ms,
            done_at_ms=0 if decision.due_at_ms else notice.at_ms,
        )

    def _camera_name(self, camera: str) -> str:
        known = self._in_force().cameras.get(camera)
        return (known.friendly_name if known else "") or camera

    def _standing(self, name: str) -> Standing:
        courier = self._couriers.get(name)
        return courier.standing if courier else Standing()

    def _run(self) -> None:
        measured_at_ms = 0
        while not self._stop.is_set():
            try:
                done = self.step()
                if self._clock_ms() - measured_at_ms >= 5000:
                    self.measure()
                    measured_at_ms = self._clock_ms()
                wait_s = 0.0 if done == BATCH else LOOK_S
            except OperationalError as error:
                log.warning("the store is away, again in %g s: %s", RETRY_S, error.orig)
                wait_s = RETRY_S
            except Exception:
                log.exception("notices can't be decided on, again in %g s", RETRY_S)
                wait_s = RETRY_S
            self._stop.wait(wait_s)


def _state(kept: str | None) -> PolicyState:
    """What an older version kept and this one can't read is forgotten: a message more is no harm."""
    try:
        return from_json(kept, PolicyState) if kept else PolicyState()
    except msgspec.ValidationError as error:
        log.warning("the state of notifications can't be read and begins anew: %s", error)
        return PolicyState()


def _notice(one: NoticeRow, alert: AlertRow, told: frozenset[str]) -> Notice:
    return Notice(
        alert=one.alert,
        event=one.event,
        at_ms=one.at_ms,
        camera=alert.camera,
        rule=alert.rule,
        severity=alert.severity,
        started_at_ms=alert.started_at_ms,
        snoozed=alert.status == "snoozed",
        told=told,
    )
