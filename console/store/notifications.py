"""What is to be told of alerts, and what was told to whom, or why not: the outbox and history of notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from console.store.database import Database
from console.store.people import People
from console.store.tables import alerts, notices, notifications, notify_state
from contracts.config import NotifyEvent
from contracts.naming import spoken

Status = Literal["waiting", "sent", "failed", "withheld"]
KEEP = 10_000
"""So many notifications are kept, beside those that still wait."""


class NoticeRow(NamedTuple):
    """Something that happened to an alert, for which nobody was chosen yet."""

    number: int
    alert: str
    event: NotifyEvent
    at_ms: int


class NotificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert for one channel. `route` is its place in the config (-1: none); `digest` how many went together."""

    number: int = 0
    channel: str
    route: int
    event: Literal["new", "escalated", "end", "test"]
    alert: str
    camera: str
    title: str
    status: Status
    reason: str
    at_ms: int
    due_at_ms: int
    done_at_ms: int = 0
    tries: int = 0
    error: str = ""
    digest: int = 0


class ChannelCount(NamedTuple):
    """What waits for a channel, and when something was last sent there."""

    waiting: int
    last_sent_at_ms: int


class NotificationStore:
    """Notices and notifications of one database; notices are only kept where there are channels.

    Titles are kept with people's ids, and read with their names.
    """

    def __init__(self, database: Database, people: People, *, has_channels: bool) -> None:
        self._database = database
        self._people = people
        self.has_channels = has_channels

    def note(self, connection: Connection, ids: Iterable[str], event: NotifyEvent, at_ms: int) -> None:
        """Something happened to these alerts: in the transaction of what it was."""
        if self.has_channels and (rows := [{"alert": one, "event": event, "at_ms": at_ms} for one in ids]):
            connection.execute(notices.insert(), rows)

    def pending(self, connection: Connection, limit: int) -> list[NoticeRow]:
        """Notices, oldest first."""
        return [NoticeRow(*row) for row in connection.execute(select(notices).order_by(notices.c.number).limit(limit))]

    def settle(self, connection: Connection, done: Collection[int], rows: Sequence[NotificationRow]) -> None:
        """Notices are done with, and these notifications came of them; what is too old of the history goes."""
        connection.execute(delete(notices).where(notices.c.number.in_(done)))
        for row in rows:
            self.add(connection, row)
        last = select(func.max(notifications.c.number)).scalar_subquery()
        old = (notifications.c.number <= last - KEEP, notifications.c.status != "waiting")
        connection.execute(delete(notifications).where(*old))

    def add(self, connection: Connection, row: NotificationRow) -> int:
        """A notification; returns its number."""
        values = {name: value for name, value in msgspec.structs.asdict(row).items() if name != "number"}
        made = connection.execute(notifications.insert().values(values).returning(notifications.c.number))
        return int(made.scalar_one())

    def told(self, connection: Connection, ids: Collection[str]) -> dict[str, frozenset[str]]:
        """By alert, the channels that were, or will be, told that it began."""
        same = (notifications.c.alert.in_(ids), notifications.c.event == "new")
        query = select(notifications.c.alert, notifications.c.channel).where(
            *same, notifications.c.status.in_(("waiting", "sent"))
        )
        found: dict[str, set[str]] = {}
        for alert, channel in connection.execute(query):
            found.setdefault(alert, set()).add(channel)
        return {alert: frozenset(channels) for alert, channels in found.items()}

    def state(self, connection: Connection, name: str) -> str | None:
        """A state that is kept beside what it decided."""
        query = select(notify_state.c.body).where(notify_state.c.name == name)
        body: str | None = connection.execute(query).scalar_one_or_none()
        return body

    def keep_state(self, connection: Connection, name: str, body: str) -> None:
        """Keep a state, in the transaction of what it decided."""
        insert: Any = sqlite.insert if self._database.is_sqlite else postgresql.insert
        added = insert(notify_state).values(name=name, body=body)
        connection.execute(added.on_conflict_do_update(index_elements=["name"], set_={"body": body}))

    def due(self, channel: str, now_ms: int, limit: int) -> list[NotificationRow]:
        """What a channel is to be sent by now: tests, as somebody waits for those, then the oldest first."""
        query = select(notifications).where(
            notifications.c.status == "waiting", notifications.c.channel == channel, notifications.c.due_at_ms <= now_ms
        )
        with self._database.read() as connection:
            order = (notifications.c.event != "test", notifications.c.number)
            return self._read(connection, query.order_by(*order).limit(limit))

    def done(
        self, numbers: Collection[int], status: Status, at_ms: int, *, error: str = "", reason: str | None = None
    ) -> None:
        """Sent, failed for good, or not to be sent after all."""
        values: dict[str, object] = {"status": status, "done_at_ms": at_ms, "error": error}
        values |= {"tries": notifications.c.tries + 1, "digest": len(numbers) if len(numbers) > 1 else 0}
        values |= {"reason": reason} if reason is not None else {}
        with self._database.write() as connection:
            connection.execute(update(notifications).where(notifications.c.number.in_(numbers)).values(values))

    def again(self, numbers: Collection[int], error: str, due_at_ms: int) -> None:
        """A try failed; the next is at `due_at_ms`."""
        values = {"tries": notifications.c.tries + 1, "error": error, "due_at_ms": due_at_ms}
        with self._database.write() as connection:
            connection.execute(update(notifications).where(notifications.c.number.in_(numbers)).values(values))

    def firing(self, channel: str, since_ms: int, limit: int = 1000) -> list[str]:
        """Alerts that a channel was told of since, and that go on."""
        query = select(notifications.c.alert).join(alerts, alerts.c.id == notifications.c.alert)
        query = query.where(
            notifications.c.channel == channel,
            notifications.c.event == "new",
            notifications.c.status == "sent",
            notifications.c.at_ms >= since_ms,
            alerts.c.state != "end",
        )
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(notifications.c.number.desc()).limit(limit)).scalars())

    def forget(self, before_ms: int) -> None:
        """Delete what was told, or was not, before: it repeats the alerts' words, which are kept no longer."""
        old = (notifications.c.at_ms < before_ms, notifications.c.status != "waiting")
        with self._database.write() as connection:
            connection.execute(delete(notifications).where(*old))

    def get(self, number: int) -> NotificationRow | None:
        """One notification."""
        with self._database.read() as connection:
            rows = self._read(connection, select(notifications).where(notifications.c.number == number))
        return rows[0] if rows else None

    def history(
        self,
        *,
        status: str = "",
        before: int | None = None,
        limit: int = 100,
        cameras: frozenset[str] | None = None,
    ) -> list[NotificationRow]:
        """Notifications below `before` of `cameras` (None: of all), and tests; the latest first."""
        query = select(notifications).order_by(notifications.c.number.desc()).limit(limit)
        if cameras is not None:
            query = query.where(notifications.c.camera.in_(["", *cameras]))
        if status:
            query = query.where(notifications.c.status == status)
        if before is not None:
            query = query.where(notifications.c.number < before)
        with self._database.read() as connection:
            return self._read(connection, query)

    def _read(self, connection: Connection, query: Select[*tuple[Any, ...]]) -> list[NotificationRow]:
        rows = [NotificationRow(**row._mapping) for row in connection.execute(query)]
        name_of = self._people.named_in(connection, (row.title for row in rows))
        return [msgspec.structs.replace(row, title=spoken(row.title, name_of)) for row in rows]

    def counts(self) -> dict[str, ChannelCount]:
        """By channel, what waits and when something was last sent."""
        query = select(
            notifications.c.channel,
            func.count().filter(notifications.c.status == "waiting"),
            func.coalesce(func.max(notifications.c.done_at_ms).filter(notifications.c.status == "sent"), 0),
        ).group_by(notifications.c.channel)
        with self._database.read() as connection:
            return {row[0]: ChannelCount(int(row[1]), int(row[2])) for row in connection.execute(query)}
