"""No serious finding of axe on any page, in both themes; the widest and the narrowest screens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.console_site import ConsoleSite

Opened = Callable[..., Page]
PAGES = (
    "/",
    "/live",
    "/setup",
    "/setup?rule=camera-down",
    "/analytics",
    "/budget",
    "/models",
    "/notifications",
    "/handover",
    "/people",
    "/health",
    "/agents",
    "/audit",
    "/accounts",
    "/account",
)


def findings(page: Page) -> list[str]:
    """What axe finds serious or critical, with the first place of each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", PAGES)
def test_no_serious_finding(site: ConsoleSite, opened: Opened, path: str, theme: str) -> None:
    alert = site.alert(why="person entered lawn")
    page = opened(f"/?alert={alert.id}" if path == "/" else path, color_scheme=theme)
    if path == "/":
        expect(page.locator(".detail h1")).to_be_visible()
    page.wait_for_timeout(1800)  # until what is new in the queue is no longer tinted
    assert findings(page) == []


def test_no_serious_finding_in_the_dialogs(site: ConsoleSite, opened: Opened) -> None:
    alert = site.alert(why="person entered lawn")
    page = opened(f"/?alert={alert.id}")
    expect(page.locator(".detail h1")).to_be_visible()
    for key in ("?", "c", "m", "e", "s", "h"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert findings(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_no_serious_finding_in_forms_and_the_menu(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/notifications", width=1280, height=720)
    for path in ("/notifications", "/budget"):
        page.goto(path)
        page.get_by_role("button", name="Change", exact=True).click()
        expect(page.get_by_role("button", name="Save")).to_be_visible()
        assert findings(page) == [], path
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_role("link", name="Accounts")).to_be_visible()
    assert findings(page) == []


def test_no_serious_finding_at_the_door(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/")
    page.context.clear_cookies()
    page.goto("/login")
    assert findings(page) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (3840, 2160)])
def test_it_fits(site: ConsoleSite, opened: Opened, width: int, height: int) -> None:
    alert = site.alert(why="person entered lawn")
    page = opened(f"/?alert={alert.id}", width=width, height=height)
    expect(page.locator(".detail h1")).to_be_visible()
    page.wait_for_function("document.querySelector('.detail img')?.naturalWidth > 0")
    page.screenshot(path=f"build/screenshots/alerts-{width}.png")
    for path in ("/live", "/setup", "/analytics", "/budget", "/notifications", "/handover", "/health"):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        page.goto(path)
        page.wait_for_selector("#content")


def test_the_skip_link_leads_to_the_content(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/health")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
