"""Puts the pages onto the console's app."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from console.pages import layout, live, login, oidc, pictures, preview, texts
from console.pages.accounts import accounts_page
from console.pages.agents import agents_page
from console.pages.analytics import analytics_page
from console.pages.audit import audit_page
from console.pages.budget import budget_page
from console.pages.desk import Desk, Visit
from console.pages.handover import handover_page
from console.pages.health import QUIET_MS, health_page
from console.pages.live import live_page
from console.pages.models import models_page
from console.pages.notifications import notifications_page
from console.pages.own import own_page
from console.pages.panel import STATIC, Answer
from console.pages.people import people_page
from console.pages.queue import alerts_page
from console.pages.search import search_page
from console.pages.setup import arm, arming_of, setup_page

PAGES: dict[str, layout.Build] = {
    "alerts": alerts_page,
    "live": live_page,
    "setup": setup_page,
    "search": search_page,
    "analytics": analytics_page,
    "handover": handover_page,
    "budget": budget_page,
    "models": models_page,
    "notifications": notifications_page,
    "health": health_page,
    "agents": agents_page,
    "audit": audit_page,
    "people": people_page,
    "accounts": accounts_page,
    "own": own_page,
}


def add_pages(app: FastAPI, desk: Desk) -> None:
    """All pages under /; to be called last: NiceGUI takes every path that nobody took before."""
    app.mount("/assets", StaticFiles(directory=STATIC), name="assets")
    routers = (login, oidc, pictures, live, preview)
    for router in (one.routes(desk) for one in routers):
        app.include_router(router)
    for name, build in PAGES.items():
        layout.page(desk, name, build, bar_calls)
    ui.run_with(
        app,
        title=texts.COMMON["product"],
        favicon=layout.MARK,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=20.0,
    )


def bar_calls(visit: Visit) -> dict[str, Answer]:
    """What the bar asks."""

    async def status() -> dict[str, object]:
        silent_ms = visit.desk.now_ms() - visit.desk.parts.consumer.alive_at_ms
        return {"broker": silent_ms < QUIET_MS, "arming": await arming_of(visit)}

    async def switch(armed: bool, maintenance: bool) -> dict[str, object]:
        return await arm(visit, armed, maintenance)

    return {"status": status, "arm": switch}
