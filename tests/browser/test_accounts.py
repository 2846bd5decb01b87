"""Accounts in a real browser: the first administrator, invitations, passwords and tokens, the door."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.console_site import PASSWORD, ConsoleSite

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


def right_of(one: Locator) -> float:
    """Where it ends, in pixels from the left."""
    return float(one.evaluate("one => one.getBoundingClientRect().right"))


def test_the_first_administrator_is_made_by_the_link(
    site: ConsoleSite, browser: Browser, shot: Shot, tmp_path: Path
) -> None:
    with ConsoleSite(tmp_path, site.bootstrap) as fresh:
        page = browser.new_context(base_url=fresh.address, viewport={"width": 1280, "height": 800}).new_page()
        page.goto("/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto(fresh.first_link)
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_label("Password again").fill("another one altogether")
        page.get_by_role("button", name="Make account").click()
        expect(page.get_by_role("alert")).to_contain_text("not the same")
        shot(page, "first-administrator")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="Make account").click()
        # 1280 wide the bar has no room for an administrator's pages: those that don't fit stand under "More".
        more = page.locator("summary", has_text="More")
        armed = page.locator("summary", has_text="Armed")
        assert right_of(more) < armed.evaluate("one => one.getBoundingClientRect().left")
        expect(page.get_by_role("link", name="Accounts")).to_have_count(0)
        more.click()
        expect(page.get_by_role("link", name="Accounts")).to_be_visible()
        page.set_viewport_size({"width": 1920, "height": 900})
        expect(more).to_have_count(0)
        assert right_of(page.get_by_role("link", name="Accounts")) < right_of(armed)
        page.get_by_label("Your account: admin").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto(fresh.first_link)
        expect(page.get_by_role("heading", name="This link is void")).to_be_visible()
        page.goto("/health")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
        shot(page, "login")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Health")).to_be_visible()
        page.context.close()


def test_people_are_invited_changed_and_locked_out(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    name = "p" + uuid.uuid4().hex[:8]
    page = opened("/accounts")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Role").select_option("Viewer")
    page.get_by_label("All cameras, also new ones").uncheck()
    page.get_by_label("Entrance hall").check()
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("textbox", name="One-time link")).to_have_value(re.compile(r"/enter/[\w-]{20,}"))
    shot(page, "accounts-link")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("row", name=name)).to_contain_text("Invited")
    expect(page.get_by_role("row", name=name)).to_contain_text("Entrance hall")
    page.get_by_role("button", name=f"Change {name}").click()
    page.get_by_label("Disabled: may not come in").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=name)).to_contain_text("Disabled")
    shot(page, "accounts")


def test_the_own_password_and_tokens(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    name = "p" + uuid.uuid4().hex[:8]
    site.cookie(name)
    page = opened("/", name)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label(f"Your account: {name}").click()
    page.get_by_role("link", name="Password and tokens").click()
    page.get_by_role("button", name="New token").click()
    expect(page.get_by_label("accounts and tokens")).to_be_visible()
    expect(page.get_by_label("changing cameras, zones and rules")).to_have_count(
        0
    )  # an operator's role has no use for it
    page.get_by_label("What it is for").fill("wall display")
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_role("textbox", name="The token's secret").input_value()
    asked = urllib.request.Request(f"{site.address}/api/alerts", headers={"Authorization": f"Bearer {secret}"})
    assert urllib.request.urlopen(asked).status == 200
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("row", name="wall display")).to_contain_text("reading alerts")
    shot(page, "own-account")
    page.get_by_role("button", name="Remove wall display").click()
    expect(page.get_by_text("You have no tokens.")).to_be_visible()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(asked)

    page.get_by_label("Password until now").fill("not the right one")
    page.get_by_label("New password", exact=False).first.fill("a much longer one")
    page.get_by_label("New password again").fill("a much longer one")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status").get_by_text("the old password is wrong")).to_be_visible()
    page.get_by_label("Password until now").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password is changed")).to_be_visible()


def test_a_session_that_ends_leads_to_the_door(site: ConsoleSite, opened: Opened) -> None:
    name = "s" + uuid.uuid4().hex[:8]
    page = opened("/", name)
    expect(page.get_by_text("Armed", exact=True)).to_be_visible()
    session = site.api("GET", "/api/session")
    site.api("DELETE", f"/api/accounts/{name}", csrf=session["csrf"])
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=30_000)


def test_an_operator_has_no_way_to_what_is_not_theirs(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/audit", "otto")
    expect(page.get_by_role("alert")).to_contain_text("Audit is not open to you")
    expect(page.get_by_role("alert")).to_contain_text("needs the role Supervisor")
    shot(page, "closed")
    page.get_by_role("alert").get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("region", name="Alert queue")).to_be_visible()
    assert page.get_by_role("link", name="Accounts").count() == 0
    page.goto("/setup?rule=camera-down")
    expect(page.get_by_text("You may look, but not change.")).to_be_visible()
    expect(page.get_by_role("button", name="New rule")).to_be_disabled()
