"""Analytics, fourth view: the cameras on the site's plan, each with its state and open alerts."""

from __future__ import annotations

from urllib.parse import quote

from nicegui import ui

from console.pages import parts, texts
from console.pages.asked import Asked
from console.pages.desk import Visit, blocking
from console.pages.panel import Panel
from console.pages.texts import ANALYTICS, HEALTH
from console.store.rows import Filter
from contracts.fields import Point

EVERY_S = 5.0
MOST_OPEN = 200
TONE = {"live": "good", "waiting": "warn", "old": "warn"}


class SitePlan(Panel, component="site_plan.js"):
    """Where a supervisor changes the plan."""


async def site_map(visit: Visit, asked: Asked) -> None:
    """The plan, which is a plain grid until a supervisor puts a picture there; states come anew every few seconds."""
    with parts.card(ANALYTICS["map"]):
        parts.element("p", ANALYTICS["map_hint"], "dim")
        plan = parts.element("div")
        if visit.who.may("configure"):
            SitePlan({}, visit.check, visit.props(texts.ANALYTICS, None))

    async def show() -> None:
        pictured = await blocking(visit.desk.parts.plan.read) is not None
        alerts = await blocking(_open_alerts, visit)
        plan.clear()
        with plan:
            _show(visit, alerts, pictured=pictured)

    await show()
    visit.every(EVERY_S, show)


def _open_alerts(visit: Visit) -> dict[str, int]:
    """How many alerts nobody has acknowledged, by camera; MOST_OPEN are looked at."""
    page = visit.desk.store.alerts.page(Filter(statuses=("open",)), None, MOST_OPEN, visit.who.cameras)
    counts: dict[str, int] = {}
    for row in page.rows:
        counts[row.camera] = counts.get(row.camera, 0) + 1
    return counts


def _show(visit: Visit, alerts: dict[str, int], *, pictured: bool) -> None:
    cameras = {name: one for name, one in visit.desk.config.cameras.items() if visit.who.sees(name) and one.enabled}
    placed = {name: one.position for name, one in cameras.items() if one.position is not None}
    if pictured or placed:
        with parts.element("div", classes="plan pictured" if pictured else "plan grid"):
            if pictured:
                parts.element("img", src="/api/plan", alt="")
            for name, at in _shares(placed).items():
                _pin(visit, name, alerts.get(name, 0)).style(f"left: {100 * at[0]:.2f}%; top: {100 * at[1]:.2f}%")
    unplaced = [name for name in cameras if name not in placed]
    if unplaced:
        parts.element("h3", ANALYTICS["unplaced"])
        with parts.element("div", classes="pins"):
            for name in unplaced:
                _pin(visit, name, alerts.get(name, 0))


def _shares(positions: dict[str, Point]) -> dict[str, Point]:
    """Positions as shares of the plan: as they are when all are 0-1, else spread over it (metres, pixels)."""
    values = [value for point in positions.values() for value in point]
    if not values or (min(values) >= 0 and max(values) <= 1):
        return positions
    (left, wide), (top, high) = (_span([point[axis] for point in positions.values()]) for axis in (0, 1))
    margin, room = 0.08, 0.84
    return {
        name: (margin + room * (x - left) / wide, margin + room * (y - top) / high)
        for name, (x, y) in positions.items()
    }


def _span(values: list[float]) -> tuple[float, float]:
    """The least of some values, and how far they reach."""
    return min(values), max(max(values) - min(values), 1e-9)


def _pin(visit: Visit, name: str, alerts: int) -> ui.element:
    standing = visit.desk.wall.state(name, visit.desk.now_ms()).standing
    made = parts.element("a", classes="pin alerting" if alerts else "pin", href=f"/live?camera={quote(name)}")
    with made:
        parts.element("span", classes=f"dot {TONE.get(standing, 'bad')}")
        parts.element("span", visit.desk.camera_name(name))
        parts.element("span", HEALTH[f"standing_{standing}"], "dim")
        if alerts:
            parts.element("span", ANALYTICS["open_alerts"].format(count=alerts), "badge bad")
    return made
