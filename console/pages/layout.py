"""The frame of every page: who may open it, the bar with the navigation, style and theme."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from console.auth.guard import caller_of
from console.pages import parts, texts
from console.pages.desk import Desk, Visit
from console.pages.panel import Answer, Panel
from console.rights import LEAST_ROLE, Permission

PAGES: tuple[tuple[str, str, Permission], ...] = (
    ("alerts", "/", "see"),
    ("live", "/live", "see"),
    ("setup", "/setup", "see"),
    ("search", "/search", "see"),
    ("analytics", "/analytics", "see"),
    ("handover", "/handover", "report"),
    ("budget", "/budget", "report"),
    ("people", "/people", "see_people"),
    ("models", "/models", "promote"),
    ("notifications", "/notifications", "configure"),
    ("health", "/health", "see"),
    ("agents", "/agents", "manage_agents"),
    ("audit", "/audit", "see_audit"),
    ("accounts", "/accounts", "manage_accounts"),
    ("own", "/account", "see"),
)
"""Name, path and what one must be allowed, in the order of the bar."""

ASIDE = ("own",)
"""Pages that are reached by the account's menu, not by the bar."""

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b5cad"/>'
    '<path d="M6 16c3-5.300 6.500-8 10-8s7 2.700 10 8c-3 5.300-6.500 8-10 8s-7-2.700-10-8z" fill="none" stroke="#fff"'
    ' stroke-width="2.200"/><circle cx="16" cy="16" r="4" fill="#fff"/></svg>'
)

STYLES = ("base.css", "alerts.css", "pages.css", "people.css")
HEAD = '<script src="/assets/theme.js"></script>' + "".join(
    f'<link rel="stylesheet" href="/assets/{name}">' for name in STYLES
)

RESPONSE_S = 30.0
"""How long a page may take; its first question to the history opens that, which takes seconds on a busy machine."""

Build = Callable[[Visit], Awaitable[None]]


class Shell(Panel, component="shell.js"):
    """The bar above every page."""


def page(desk: Desk, name: str, build: Build, calls: Callable[[Visit], dict[str, Answer]]) -> None:
    """Register the page `name` of PAGES; `build` fills it, `calls` are what its bar may ask."""
    path, permission = next((path, permission) for known, path, permission in PAGES if known == name)
    title = f"{texts.SHELL[name]} – {texts.COMMON['product']}"

    async def shown(request: Request) -> Response | None:
        who = caller_of(request).who
        if who is None:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/login?next={quote(path + query)}", 303)
        visit = Visit(desk, request, who)
        await _bar(visit, name, calls(visit))
        with parts.element("div", classes="fill", id="content", tabindex="-1"):
            if who.may(permission):
                await build(visit)
            else:
                _closed(visit, name, permission)
        return None

    ui.page(path, title=title, response_timeout=RESPONSE_S)(shown)


def _closed(visit: Visit, name: str, permission: Permission) -> None:
    """What somebody finds whose role does not open a page: that it is so, who may, and where they can go."""
    said = {
        "page": texts.SHELL[name],
        "name": visit.who.name,
        "role": texts.COMMON[f"role_{visit.who.role}"],
        "needed": texts.COMMON[f"role_{LEAST_ROLE[permission]}"],
    }
    with parts.element("div", classes="page"), parts.element("section", classes="card off", role="alert"):
        parts.element("h1", texts.SHELL["closed_title"].format(**said))
        parts.element("p", texts.SHELL["closed"].format(**said))
        parts.element("p", texts.SHELL["closed_go"])
        with parts.element("nav", classes="row", aria_label=texts.SHELL["closed_go"]):
            for known, path, needed in PAGES:
                if visit.who.may(needed):
                    parts.element("a", texts.SHELL[known], "button", href=path)


async def _bar(visit: Visit, name: str, calls: dict[str, Answer]) -> None:
    ui.add_head_html(HEAD)
    links = [
        {"path": path, "text": texts.SHELL[known], "here": known == name}
        for known, path, permission in PAGES
        if visit.who.may(permission) and known not in ASIDE
    ]
    start: dict[str, Any] = {
        "status": await calls["status"](),
        "links": links,
        "site": visit.desk.config.site.friendly_name or visit.desk.config.site.name,
        "mark": MARK,
    }
    with ui.context.client.layout:
        bar = Shell(calls, visit.check, visit.props(texts.SHELL, start))
    bar.move(target_index=0)
