"""The analytics page: alerts, movement, heat map and site map, narrowed in the address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from console.pages import parts
from console.pages.alert_load import alert_load
from console.pages.asked import Asked, choices_of, form, from_address, only
from console.pages.desk import Visit, blocking
from console.pages.heat import heat_map
from console.pages.movement import movement
from console.pages.search import export_links
from console.pages.site_map import site_map
from console.pages.texts import ANALYTICS

View = Callable[[Visit, Asked], Awaitable[None]]

VIEWS: dict[str, tuple[View, tuple[str, ...], str]] = {
    "alerts": (alert_load, ("camera",), "/api/alerts/export"),
    "movement": (movement, ("camera", "zone", "label"), "/api/search/windows/export"),
    "heat": (heat_map, ("camera", "zone", "label"), "/api/search/tracks/export"),
    "map": (site_map, (), ""),
}
"""What a view shows, what it is narrowed by beside the time, and where its rows can be taken from."""


async def analytics_page(visit: Visit) -> None:
    """What is at /analytics."""
    query = visit.request.query_params
    view = query["view"] if query.get("view") in VIEWS else "alerts"
    show, fields, export = VIEWS[view]
    asked = only(from_address(query.multi_items()), fields)
    config = await blocking(visit.desk.parts.changes.config)
    choices = choices_of(config, [name for name in config.cameras if visit.who.sees(name)])
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", ANALYTICS["title"])
            links = [(asked.address(view=one), ANALYTICS[f"view_{one}"], one == view) for one in VIEWS]
            parts.links(links, ANALYTICS["view"])
            parts.element("span", classes="grow")
            if export:
                export_links(visit, export, asked)
        if fields:
            form(asked, choices, fields, view=view)
        await show(visit, asked)
