"""The hub: what changed goes from any thread to everybody who looks, and who looks at which alert."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from console.store.rows import AlertRow
from contracts.fields import Answer

MAX_WAITING = 1000
"""What a subscriber may have waiting: 50 s of a flood of 20 alerts a second. A slower one is told to reload."""


class Change(NamedTuple):
    """An alert before and after an answer; `identity` is what was said of who it is about."""

    before: AlertRow
    after: AlertRow
    identity: Answer | None = None


@dataclass(frozen=True)
class Presence:
    """Who has an alert open now, by name."""

    alert_id: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Reload:
    """More came than was fetched: what was missed is to be read from the store."""


News = AlertRow | Presence | Reload


@dataclass(eq=False)
class Subscription:
    """One subscriber's queue, in its own event loop. Iterate over it; `close` ends it."""

    hub: Hub
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[News] = field(default_factory=asyncio.Queue)
    looking_at: str = ""
    name: str = ""

    def __aiter__(self) -> AsyncIterator[News]:
        return self

    async def __anext__(self) -> News:
        return await self.queue.get()

    def look_at(self, alert_id: str) -> None:
        """This subscriber has that alert open now ("": none)."""
        before, self.looking_at = self.looking_at, alert_id
        for one in {before, alert_id} - {""}:
            self.hub.tell(Presence(one, self.hub.lookers(one)))

    def close(self) -> None:
        """No more news; others see that this one is gone."""
        self.hub.forget(self)
        self.look_at("")

    def put(self, news: Iterable[News]) -> None:
        """Called in the subscriber's own loop."""
        for one in news:
            if self.queue.qsize() >= MAX_WAITING:
                while not self.queue.empty():
                    self.queue.get_nowait()
                self.queue.put_nowait(Reload())
                return
            self.queue.put_nowait(one)


class Hub:
    """Holds the subscribers; `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._subscribers: set[Subscription] = set()
        self._listeners: list[Callable[[Change], None]] = []
        self._lock = threading.Lock()

    def subscribe(self, name: str = "") -> Subscription:
        """From a running event loop; `name` is whom others see looking."""
        subscription = Subscription(self, asyncio.get_running_loop(), name=name)
        with self._lock:
            self._subscribers.add(subscription)
        return subscription

    def publish(self, rows: Iterable[AlertRow]) -> None:
        """Alerts that are new or changed."""
        self.tell(*rows)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have `listener` called with every answer, in the thread that gave it; for the wiring, before all runs."""
        self._listeners.append(listener)

    def changed(self, changes: Sequence[Change]) -> None:
        """Alerts were answered."""
        self.publish(change.after for change in changes)
        for listener in self._listeners:
            for change in changes:
                listener(change)

    def tell(self, *news: News) -> None:
        """Anything new, to everybody."""
        if not news:
            return
        for subscription in self._everybody():
            try:
                subscription.loop.call_soon_threadsafe(subscription.put, news)
            except RuntimeError:  # its loop has ended
                self.forget(subscription)

    def lookers(self, alert_id: str) -> tuple[str, ...]:
        """Who has this alert open, by name."""
        return tuple(sorted({one.name for one in self._everybody() if one.looking_at == alert_id and one.name}))

    def forget(self, subscription: Subscription) -> None:
        """This one gets no more."""
        with self._lock:
            self._subscribers.discard(subscription)

    def _everybody(self) -> list[Subscription]:
        with self._lock:
            return list(self._subscribers)
