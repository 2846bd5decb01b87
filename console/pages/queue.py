"""The alerts page: the queue as the store and the hub give it, and what its operator asks."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
from nicegui import background_tasks, ui
from sqlalchemy.exc import OperationalError

from console.answers import Action, NoAlertError, answer_all
from console.hub import News, Presence, Reload, Subscription
from console.missed import Box
from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.detail import detail_of
from console.pages.filters import STATUSES, Narrowed, Shown, from_address
from console.pages.identity import identity_calls
from console.pages.panel import Answer, Panel, Refused
from console.store.find import lets_through
from console.store.rows import SEVERITIES, AlertRow, Cursor, Filter
from contracts.config import LABELS, Config
from contracts.decoding import convert

log = logging.getLogger(__name__)

PAGE = 60
BATCH_S = 0.05
"""The least time between two pushes: 20 changes a second are more than an operator can tell apart."""
LOOK_S = 1.0
"""How often the session is looked at while there are news: who was signed out, or may see less, gets no more."""
AWAY_S = 1.0
"""How long until news are tried again that the store had no answer for."""


class After(msgspec.Struct, frozen=True):
    """The last row that the browser holds."""

    severity: str
    started_at_ms: int
    number: int


class Queue(Panel, component="queue.js"):
    """The queue and the open alert."""


class AlertsPage:
    """One operator's alerts page: its filter, the alert that is open, and its place in the hub."""

    def __init__(self, visit: Visit, narrowed: Narrowed) -> None:
        self._visit = visit
        self._desk = visit.desk
        self._narrowed = narrowed
        self._subscription: Subscription | None = None
        self._queue: Queue | None = None
        self._open = ""
        self._seeing: dict[str, list[str]] = {}

    async def build(self, chosen: str) -> None:
        """Fill the page and begin to listen."""
        # The small pictures of the queue are one look; each opened alert's picture is one of its own.
        audit = self._desk.store.audit
        now_ms, query = self._desk.now_ms(), self._visit.request.url.query
        details = {"filter": query}
        who = self._visit.who.name
        await blocking(audit.record, at_ms=now_ms, who=who, action="look", subject="alert queue", details=details)
        rows, more = await self._page(None)
        lookers = {row["id"]: list(self._desk.parts.hub.lookers(row["id"])) for row in rows}
        self._seeing = {alert: names for alert, names in lookers.items() if names}
        config = await blocking(self._desk.parts.changes.config)
        start = {
            "rows": rows,
            "states": await self._states(config),
            "more": more,
            "filter": msgspec.to_builtins(self._narrowed),
            "chosen": chosen,
            "options": await self._options(config),
            "operators": await self._operators(),
            "seeing": self._seeing,
        }
        said = texts.ALERTS | texts.IDENTITY | texts.MISSING
        self._queue = Queue(self._calls(), self._visit.check, self._visit.props(said, start))
        self._subscription = self._desk.parts.hub.subscribe(self._visit.who.name)
        client = ui.context.client
        feed = background_tasks.create(self._feed(self._subscription, self._queue), name=f"queue {client.id}")

        def left() -> None:
            feed.cancel()
            assert self._subscription is not None
            self._subscription.close()

        client.on_delete(left)

    def _calls(self) -> dict[str, Answer]:
        """What the page may ask for."""
        return {
            "page": self._search,
            "open": self.open,
            "close": self._close,
            "answer": self._answer,
            "instant": self._instant,
            "lift": self._lift,
            "end_snooze": self._end_snooze,
            "missed": self._missed,
            **identity_calls(self._visit),
        }

    async def _feed(self, subscription: Subscription, queue: Queue) -> None:
        """Carry the hub's news to the browser: at once, but not more often than every BATCH_S."""
        loop = asyncio.get_running_loop()
        next_s = look_s = 0.0
        async for first in subscription:
            await asyncio.sleep(max(0.0, next_s - loop.time()))
            next_s = loop.time() + BATCH_S
            news = [first]
            while not subscription.queue.empty():
                news.append(subscription.queue.get_nowait())
            try:
                if loop.time() >= look_s:
                    if not await self._visit.lasts():
                        return subscription.close()
                    look_s = loop.time() + LOOK_S
                await self._push(queue, news)
            except (OperationalError, NoAlertError) as error:
                log.warning("the news of a page, again in %g s: %s", AWAY_S, error)
                subscription.put([Reload()])
                next_s = loop.time() + AWAY_S

    async def _push(self, queue: Queue, news: list[News]) -> None:
        if any(isinstance(one, Reload) for one in news):
            queue.push("reload")
            return
        latest = {one.id: one for one in news if isinstance(one, AlertRow) and self._visit.who.sees(one.camera)}
        wanted = self._narrowed.filter(self._desk.now_ms())
        let_through = [row for row in latest.values() if lets_through(wanted, row)]
        rows = [self._shown(row) for row in let_through]
        gone = list(latest.keys() - {row.id for row in let_through})
        if latest:
            queue.push("batch", rows, gone)
        if self._open in latest:
            queue.push("refresh", await self._detail(self._open))
        lookers = [one for one in news if isinstance(one, Presence)]
        if lookers:
            me = self._visit.who.name
            for one in lookers:
                self._seeing[one.alert_id] = [name for name in one.names if name != me]
            self._seeing = {alert: names for alert, names in self._seeing.items() if names}
            queue.push("presence", self._seeing)

    def _shown(self, row: AlertRow) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.to_builtins(row)
        shown["camera_name"] = self._desk.camera_name(row.camera)
        shown["snapshot"] = f"/pictures/{row.id}/small.jpg?v={row.revision}" if row.snapshot else ""
        return shown

    async def _page(self, after: Cursor | None) -> tuple[list[dict[str, Any]], bool]:
        wanted = self._narrowed.filter(self._desk.now_ms())
        page = await blocking(self._desk.store.alerts.page, wanted, after, PAGE, self._visit.who.cameras)
        return [self._shown(row) for row in page.rows], page.next is not None

    async def _search(self, filter: dict[str, Any], after: dict[str, Any] | None) -> dict[str, Any]:
        self._narrowed = convert(filter, Narrowed)
        cursor = None
        if after is not None:
            last = convert(after, After, strict=False)
            if last.severity not in SEVERITIES:
                raise Refused(f"there is no severity {last.severity[:20]!r}")
            cursor = Cursor(SEVERITIES.index(last.severity), last.started_at_ms, last.number)
        rows, more = await self._page(cursor)
        return {"rows": rows, "more": more}

    async def open(self, id: str) -> dict[str, Any]:
        """The alert `id`, opened by this operator: others see it. The look at its picture is what the audit holds."""
        detail = await self._detail(id)
        self._open = id
        if self._subscription is not None:
            self._subscription.look_at(id)
        return detail

    async def _detail(self, alert_id: str) -> dict[str, Any]:
        return await blocking(detail_of, self._visit, alert_id)

    async def _close(self) -> None:
        self._open = ""
        if self._subscription is not None:
            self._subscription.look_at("")

    async def _instant(self, local: str) -> int | None:
        return self._visit.local(local) if local else None

    async def _answer(self, ids: list[str], action: dict[str, Any]) -> dict[str, Any]:
        done = await blocking(
            answer_all,
            *(self._desk.store, self._desk.parts.hub, self._visit.who),
            convert(ids, list[str]),
            convert(action, Action),
            at_ms=self._desk.now_ms(),
            silencing=self._desk.parts.silences.silencing,
        )
        self._desk.parts.outbox.wake()
        return {"rows": [self._shown(row) for row in done]}

    async def _lift(self, suppression: str) -> dict[str, Any]:
        """What the open alert's answer silenced alerts again."""
        found = await blocking(self._desk.parts.silences.lift, self._visit.who, str(suppression))
        return await self._detail(found.body.alert)

    async def _end_snooze(self, rule: str, camera: str) -> None:
        """The rule's alerts on that camera come again; the hub tells of those that are to do again."""
        await blocking(self._desk.parts.snoozes.end, self._visit.who, str(rule), str(camera))

    async def _missed(self, id: str, box: dict[str, Any]) -> dict[str, Any]:
        """Something else is in the alert's picture."""
        await blocking(self._desk.parts.missed.on_alert, self._visit.who, id, convert(box, Box))
        return await self._detail(id)

    async def _states(self, config: Config) -> list[Shown]:
        """The queue's tabs; that of questions where a camera asks any, or one is still to be answered."""
        asks = (
            any(camera.learning.ask_from for camera in config.cameras.values()) or self._narrowed.status == "questions"
        )
        if not asks:
            waiting = Filter(statuses=("question",))
            page = await blocking(self._desk.store.alerts.page, waiting, limit=1, cameras=self._visit.who.cameras)
            asks = bool(page.rows)
        return [one for one in STATUSES if one != "questions" or asks]

    async def _options(self, config: Config) -> dict[str, list[dict[str, str]]]:
        """What the filters offer; people to who answers alerts, which say their names too."""
        options = _options(self._visit, config)
        names = await blocking(self._desk.person_names) if self._visit.who.may("answer") else {}
        people = sorted(names.items(), key=lambda one: one[1].casefold())
        return options | {"persons": [{"value": person, "label": name} for person, name in people]}

    async def _operators(self) -> list[dict[str, Any]]:
        """Whom an alert can be given to; those who lead first get what is escalated."""
        users = await blocking(self._desk.store.accounts.users)
        able = [user for user in users if not user.disabled and user.role != "viewer"]
        return [{"name": one.name, "role": one.role, "leads": one.role != "operator"} for one in able]


def _options(visit: Visit, config: Config) -> dict[str, list[dict[str, str]]]:
    """What the filters offer: the names of the config in force that this person may see."""
    cameras = {name: camera for name, camera in config.cameras.items() if visit.who.sees(name)}
    zones = sorted({zone for camera in cameras.values() for zone in (*camera.zones, *camera.lines)})

    def plain(names: list[str] | tuple[str, ...]) -> list[dict[str, str]]:
        return [{"value": name, "label": name} for name in names]

    return {
        "cameras": [{"value": name, "label": visit.desk.camera_name(name)} for name in cameras],
        "zones": plain(zones),
        "rules": plain(sorted(config.rules)),
        "labels": plain(LABELS),
        "severities": [
            {"value": one, "label": texts.COMMON[f"severity_{one}"], "tone": one} for one in reversed(SEVERITIES)
        ],
    }


async def alerts_page(visit: Visit) -> None:
    """What is at /."""
    query = visit.request.query_params
    page = AlertsPage(visit, from_address(query.multi_items()))
    await page.build(query.get("alert", ""))
