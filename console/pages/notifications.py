"""The notifications page: channels and how they do, routes in their order, what was sent to whom, and what was not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from nicegui import ui

from console.notify.notifier import ChannelView
from console.overlay import ROUTES
from console.pages import parts
from console.pages.desk import Visit, blocking
from console.pages.settings import Form, settings
from console.pages.texts import COMMON, NOTIFICATIONS, ROUTING
from console.pages.times import lasting, stamp
from console.secrets import named
from console.store.notifications import NotificationRow
from contracts.config import AlertmanagerChannel, AppriseChannel, Channel, Period, Route
from contracts.errors import VedetteError

EVERY_S = 2.0
PAGE = 50
TEST_S = 20.0
"""A test that has no answer by then is shown as on its way; the history tells the rest."""
STATUSES = ("", "sent", "withheld", "failed", "waiting")
EXAMPLE = """console:
  notifications:
    channels:
      guards: {kind: apprise, url: "tgram://{BOT_TOKEN}/{CHAT_ID}"}    # mail, Slack, Teams, Telegram ...
    routes:
      - {channels: [guards], severities: [critical, high]}"""
TONES = {"sent": "good", "failed": "bad", "waiting": "warn", "withheld": ""}


async def notifications_page(visit: Visit) -> None:
    """What is at /notifications."""
    given = visit.desk.config.console.notifications
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", NOTIFICATIONS["title"])
        if not given.channels:
            with parts.element("section", classes="card off"):
                parts.element("h2", NOTIFICATIONS["off"])
                parts.element("p", NOTIFICATIONS["off_hint"])
                parts.element("pre", EXAMPLE)
            return
        said = parts.element("div", role="status")
        await _channels(visit, said)
        parts.element("p", NOTIFICATIONS["in_file"], "dim")
        with parts.card(NOTIFICATIONS["routes"]):
            listed = parts.element("div")

        async def show() -> None:
            listed.clear()
            with listed:
                _routes(visit, visit.desk.config.console.notifications.routes)

        await show()
        await settings(visit, Form(ROUTES, Route, ROUTING, items="routes"), show)
        with parts.card(NOTIFICATIONS["history"]):
            await _history(visit)


async def _channels(visit: Visit, said: ui.element) -> None:
    """A card for each, whose state is renewed; its button stays, and keeps the focus."""
    notifier = visit.desk.parts.notifier
    bodies: dict[str, ui.element] = {}
    with parts.element("div", classes="cards"):
        for view in await blocking(notifier.channels):
            with parts.card(view.name):
                bodies[view.name] = parts.element("div", classes="stack channel")
                if view.channel.enabled:
                    label = NOTIFICATIONS["test_of"].format(channel=view.name)
                    button = parts.element("button", NOTIFICATIONS["send_test"], "button small", aria_label=label)
                    button.on("click", _tester(visit, view.name, said))

    async def show() -> None:
        for view in await blocking(notifier.channels):
            bodies[view.name].clear()
            with bodies[view.name]:
                _channel(view, visit.desk.zone)

    await show()
    visit.every(EVERY_S, show)


def _channel(view: ChannelView, zone: str) -> None:
    standing, count = view.standing, view.count
    if not view.channel.enabled:
        tone, text = "", NOTIFICATIONS["state_off"]
    elif standing.failing_since_ms:
        tone, text = "bad", NOTIFICATIONS["state_failing"].format(time=stamp(standing.failing_since_ms, zone))
    elif count.last_sent_at_ms:
        tone, text = "good", NOTIFICATIONS["state_well"]
    else:
        tone, text = "", NOTIFICATIONS["state_idle"]
    with parts.element("p", classes="row"):
        parts.element("span", classes=f"dot {tone}")
        parts.element("span", text)
    if standing.error:
        parts.element("p", standing.error, "bad said")
    parts.values(
        (
            (NOTIFICATIONS["kind"], _kind(view.channel)),
            (NOTIFICATIONS["secrets"], ", ".join(_secrets(view.channel)) or NOTIFICATIONS["no_secrets"]),
            (NOTIFICATIONS["most"], _most(view.channel)),
            (NOTIFICATIONS["waiting"], str(count.waiting)),
            (NOTIFICATIONS["last_sent"], stamp(count.last_sent_at_ms, zone)),
        )
    )


def _kind(channel: Channel) -> str:
    """Without the address: even a careless one shows nothing."""
    kind = str(channel.__struct_config__.tag)
    service = f" ({channel.url.partition('://')[0]})" if isinstance(channel, AppriseChannel) else ""
    return NOTIFICATIONS[f"kind_{kind}"] + service


def _secrets(channel: Channel) -> list[str]:
    """The names of the environment's variables that it uses."""
    fields = (getattr(channel, name, "") for name in ("url", "secret", "token"))
    return list(dict.fromkeys(name for text in fields for name in named(text)))


def _most(channel: Channel) -> str:
    if isinstance(channel, AlertmanagerChannel):
        return NOTIFICATIONS["most_all"]
    return NOTIFICATIONS["most_digest"].format(count=channel.max_per_minute)


def _tester(visit: Visit, channel: str, said: ui.element) -> Callable[[], object]:
    """What the button does: send, wait for what becomes of it, say it."""

    async def test() -> None:
        try:
            await visit.check()
            number = await blocking(visit.desk.parts.notifier.test, visit.who, channel, visit.desk.now_ms())
        except VedetteError as error:
            return _say(said, str(error), "note bad")
        _say(said, NOTIFICATIONS["testing"].format(channel=channel), "note")
        until_ms = visit.desk.now_ms() + round(TEST_S * 1000)
        while visit.desk.now_ms() < until_ms:
            row = await blocking(visit.desk.store.notifications.get, number)
            if row is not None and row.status == "sent":
                return _say(said, NOTIFICATIONS["test_sent"].format(channel=channel), "note")
            if row is not None and row.status == "failed":
                return _say(said, NOTIFICATIONS["test_failed"].format(channel=channel, error=row.error), "note bad")
            await asyncio.sleep(0.2)

    return test


def _say(said: ui.element, text: str, classes: str) -> None:
    said.clear()
    with said:
        parts.element("p", text, classes)


def _routes(visit: Visit, routes: Sequence[Route]) -> None:
    if not routes:
        parts.element("p", NOTIFICATIONS["no_routes"], "warn")
        return
    rows = [
        (number, _which(visit, route), ", ".join(route.channels), _when(route), _limits(route))
        for number, route in enumerate(routes, 1)
    ]
    heads = ("#", *(NOTIFICATIONS[name] for name in ("for", "to", "when", "limits")))
    parts.table(heads, rows, numbers=(0,), caption=NOTIFICATIONS["routes"])


def _which(visit: Visit, route: Route) -> str:
    chosen = (
        [COMMON[f"severity_{one}"] for one in route.severities],
        [visit.desk.camera_name(one) for one in route.cameras],
        list(route.rules),
    )
    said = [", ".join(names) for names in chosen if names] or [NOTIFICATIONS["every"]]
    said += [NOTIFICATIONS["events_end"]] if "end" in route.events else []
    said += [] if "escalated" in route.events else [NOTIFICATIONS["no_escalated"]]
    return "; ".join([*said, *([NOTIFICATIONS["and_on"]] if route.continue_ else [])])


def _when(route: Route) -> str:
    said = [_periods(route.schedule) if route.schedule else NOTIFICATIONS["always"]]
    if route.quiet_hours:
        loud = ", ".join(COMMON[f"severity_{one}"] for one in route.quiet_except)
        text = NOTIFICATIONS["quiet_at" if loud else "quiet_all"]
        said.append(text.format(periods=_periods(route.quiet_hours), severities=loud))
    return "; ".join(said)


def _limits(route: Route) -> str:
    said = []
    if route.group_s:
        said.append(NOTIFICATIONS["grouped_by"].format(time=lasting(route.group_s * 1000)))
    if route.cooldown_s:
        said.append(NOTIFICATIONS["cooled_by"].format(time=lasting(route.cooldown_s * 1000)))
    return "; ".join(said) or "–"


def _periods(periods: Sequence[Period]) -> str:
    def words(one: Period) -> str:
        days = "" if len(one.days) == 7 else " " + ", ".join(one.days)
        return f"{one.from_}–{one.until}{days}"

    return ", ".join(map(words, periods))


async def _history(visit: Visit) -> None:
    query = visit.request.query_params
    status, before = query.get("status", ""), query.get("before", "")
    status = status if status in STATUSES else ""
    behind = int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None
    rows = await blocking(
        visit.desk.store.notifications.history, status=status, before=behind, limit=PAGE, cameras=visit.who.cameras
    )
    names = {one: NOTIFICATIONS[f"status_{one}"] if one else NOTIFICATIONS["all"] for one in STATUSES}
    parts.links([(f"?status={one}", names[one], one == status) for one in STATUSES], NOTIFICATIONS["history"])
    if not rows:
        parts.element("p", NOTIFICATIONS["nothing"], "dim")
        return
    heads = [NOTIFICATIONS[name] for name in ("at", "what", "channel", "state", "why")]
    parts.table(heads, [_row(visit, row) for row in rows], caption=NOTIFICATIONS["history"])
    if behind is None and len(rows) < PAGE:
        return
    with parts.element("nav", classes="row", aria_label=NOTIFICATIONS["older"]):
        if behind is not None:
            parts.element("a", NOTIFICATIONS["newest"], "button", href=f"?status={status}")
        if len(rows) == PAGE:
            older = urlencode({"status": status, "before": rows[-1].number})
            parts.element("a", NOTIFICATIONS["older"], "button", href=f"?{older}")


def _row(visit: Visit, row: NotificationRow) -> tuple[object, ...]:
    why = [NOTIFICATIONS[f"reason_{row.reason}"]] if row.reason else []
    why += [NOTIFICATIONS["in_digest"].format(count=row.digest)] if row.digest else []
    why += [NOTIFICATIONS["tried"].format(count=row.tries)] if row.tries > 1 else []
    why += [row.error] if row.error else []
    state = NOTIFICATIONS[f"status_{row.status}"]
    done = f" {stamp(row.done_at_ms, visit.desk.zone).rpartition(', ')[2]}" if row.status == "sent" else ""
    return (
        (stamp(row.at_ms, visit.desk.zone), "once"),
        row.title,
        row.channel or "–",
        (state + done, f"once {TONES[row.status]}"),
        ", ".join(why),
    )
