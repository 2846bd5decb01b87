"""Notifications, the alert budget and single sign-on, as people use them."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from console.notify.signing import verify
from contracts.messages import Condition
from tests.console_scene import now_ms
from tests.console_site import HOOK_SECRET, ConsoleSite
from tests.waiting import wait_until

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


def test_an_alert_reaches_its_channel_and_a_test_is_sent(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    word = uuid.uuid4().hex[:8]
    site.alert(why=f"someone is here {word}", severity="critical", camera="hall", zone="floor", rule="hall-closed")
    got = site.receiver.got
    wait_until(lambda: any(word.encode() in one.body for one in list(got)))
    assert verify(HOOK_SECRET, got[-1].headers, got[-1].body, now_ms())
    site.alert(why=f"not worth a message {word}", severity="low", rule="quiet")
    wait_until(lambda: f"not worth a message {word}" in str(site.api("GET", "/api/notifications")))
    page = opened("/notifications")
    row = page.get_by_role("row", name=f"Critical: someone is here {word} – Entrance hall")
    expect(row.filter(has_text="office")).to_contain_text("Sent")
    expect(row.filter(has_text="pager")).to_contain_text("Waiting")
    expect(page.get_by_role("row", name=f"not worth a message {word}")).to_contain_text("No route fits")
    page.get_by_role("button", name="Send a test to office").click()
    expect(page.get_by_role("status").get_by_text("The test has reached office")).to_be_visible(timeout=20_000)
    assert got[-1].json()["data"]["title"] == "Test by maria – Harbour office"
    page.get_by_role("button", name="Send a test to pager").click()
    expect(page.get_by_role("status").get_by_text("The test did not reach pager")).to_be_visible(timeout=20_000)
    shot(page, "notifications")
    page.get_by_role("link", name="Not sent").click()
    expect(page.get_by_role("row", name=f"not worth a message {word}")).to_be_visible()
    assert page.get_by_role("row", name=f"someone is here {word}").count() == 0
    page.goto("/health")
    expect(page.get_by_role("row", name="pager")).to_contain_text("Fails since")
    shot(page, "health-channels")


def test_a_suggestion_that_holds_the_budget_is_applied(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    session = site.api("GET", "/api/session")
    for number in range(24):
        sure = bool(number % 2)
        trace = (Condition("confidence", ">= 0.00", "0.87" if sure else "0.58"),)
        at_ms = now_ms() - 24 * 3_600_000 + number * 3_600_000
        alert = site.alert(picture=False, rule="path-in", severity="low", started_at_ms=at_ms, trace=trace)
        body = {"answer": {"action": "verdict", "verdict": "true" if sure else "nuisance"}}
        answered(site, alert.id, body, session["csrf"])
    page = opened("/budget")
    found = page.locator("article", has_text="path-in")
    expect(found).to_contain_text(re.compile("least confidence 0(.\\d+)? → 0.87"))
    expect(found).to_contain_text("12 of 12 true alarms stay, 0 would have been lost")
    expect(page.locator(".chart svg")).to_have_count(3)
    shot(page, "budget")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_label("Of the whole site").fill("40")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("of 40 wanted")).to_be_visible()
    assert site.api("GET", "/api/budget")["budget"]["alerts_per_hour"] == 40
    page.get_by_role("button", name="Apply to path-in").click()
    expect(page.get_by_role("status").get_by_text("path-in has its new thresholds")).to_be_visible()
    (rule,) = [one for one in site.api("GET", "/api/objects")["objects"] if one["name"] == "path-in"]
    assert (rule["origin"], rule["body"]["min_confidence"]) == ("console", 0.87)
    assert rule["note"].startswith("alert budget: ")
    page.reload()
    expect(page.get_by_role("heading", name="Suggested thresholds")).to_be_visible()
    expect(page.locator("article", has_text="path-in")).to_have_count(0)


def test_routes_are_changed_in_the_page(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/notifications")
    expect(page.locator(".channel").first).to_contain_text("HOOK_SECRET")
    expect(page.get_by_text("Channels stand in the configuration file")).to_be_visible()
    before = site.api("GET", "/api/notifications/routes")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("button", name="Add a route").click()
    added = page.get_by_role("group", name="Route 3", exact=True)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("console.notifications.routes[2].channels: is empty")).to_be_visible()
    added.get_by_label("office").check()
    added.get_by_role("group", name="Severities").get_by_label("Low").check()
    added.get_by_role("group", name="Quiet hours").get_by_role("button", name="Add a period").click()
    added.get_by_role("button", name="Move up").click()
    shot(page, "routes")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("region", name="Routes, in order").get_by_role("row").nth(2)
    expect(row).to_contain_text("always; quiet 22:00–06:00, but for Critical")
    expect(row).to_contain_text("Low")
    page.get_by_role("button", name="Versions").click()
    expect(page.get_by_text("version 1", exact=True).last).to_be_visible()
    site.api("PUT", "/api/notifications/routes", before["body"], csrf=site.api("GET", "/api/session")["csrf"])


def answered(site: ConsoleSite, alert: str, body: object, csrf: str) -> None:
    """Answer an alert as soon as the console has it."""
    until = time.monotonic() + 20
    while True:
        try:
            site.api("POST", f"/api/alerts/{alert}/answers", body, csrf=csrf)
            return
        except OSError:  # 404: it is not read yet
            assert time.monotonic() < until
            time.sleep(0.1)


def test_somebody_comes_in_by_single_sign_on_and_goes(site: ConsoleSite, browser: Browser, shot: Shot) -> None:
    context = browser.new_context(base_url=site.address, color_scheme="dark", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    page = context.new_page()
    site.provider.groups = []
    page.goto("/login?next=/health")
    shot(page, "sign-in")
    page.get_by_role("link", name="Harbour ID").click()
    expect(page.get_by_role("alert")).to_contain_text("Rosa is in no group that has a role here")
    shot(page, "sign-in-refused")
    site.provider.groups = ["guards"]
    page.goto("/login?next=/health")
    page.get_by_role("link", name="Harbour ID").click()
    expect(page.get_by_role("heading", name="Health")).to_be_visible(timeout=30_000)
    page.get_by_label("Your account: rosa").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("signed out", exact=True)).to_be_visible(timeout=30_000)
    assert page.url.startswith(site.provider.url)
    context.close()
