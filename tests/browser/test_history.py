"""Search and analytics in a real browser, over what the demo clip left in the history."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from archive.history import catalog
from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from archive.history.rows import TrackRow
from contracts.config_file import load
from tests.browser.test_accessibility import findings
from tests.console_scene import now_ms
from tests.console_site import ConsoleSite
from tests.history_site import keep_clip
from tests.history_tools import event_row

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def kept(site: ConsoleSite) -> list[TrackRow]:
    """The clip's tracks; the newest has an alert with a picture."""
    root = site.state.parent / "archive" / "history"
    rows = keep_clip(root, load(site.folder / "site.yaml"), now_ms())
    alert = site.alert(why="person entered lawn")
    at_ms = now_ms() - 5000
    newest = replace(
        max(rows, key=lambda row: row.last_ms - row.first_ms),
        id=f"forecourt.live.9999.{at_ms}",
        first_ms=at_ms,
        last_ms=at_ms + 4000,
        alerts=(alert.id,),
        rules=(alert.rule,),
        attributes=("hard_hat:no",),
    )
    silenced = event_row(1, id="silenced-1", camera="forecourt", at_ms=at_ms, rule=alert.rule, suppressed_by="answer-1")
    known = catalog.read(Mirror(root))
    files = (*known.files, *ParquetWriter(Mirror(root)).write([newest, replace(silenced, site=newest.site)]))
    catalog.commit(Mirror(root), replace(known, files=files), GatherState())
    return [*rows, newest]


def test_tracks_are_found_narrowed_and_looked_at(
    site: ConsoleSite, opened: Opened, shot: Shot, kept: list[TrackRow]
) -> None:
    page = opened("/search")
    expect(page.locator(".hit")).to_have_count(40)
    page.wait_for_function("document.querySelector('.hit img')?.naturalWidth > 0")
    shot(page, "search")
    assert findings(page) == []
    page.get_by_label("Zone").select_option("lawn")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile("zone=lawn"))
    expect(page.get_by_label("Zone")).to_have_value("lawn")
    wanted = sum("lawn" in row.zones and row.first_ms > now_ms() - 86_400_000 for row in kept)
    expect(page.locator(".hit")).to_have_count(min(wanted, 40))
    page.locator(".hit").last.click()
    expect(page.locator(".track .way").last).to_be_visible()
    expect(page.locator(".track")).to_contain_text("lawn")
    assert "zone=lawn" in page.url
    shot(page, "search-track")
    assert findings(page) == []
    page.locator(".track").get_by_role("link", name="Close").click()
    expect(page.locator(".track")).to_have_count(0)


def test_older_pages_follow(opened: Opened, kept: list[TrackRow]) -> None:
    page = opened("/search?last=7d")
    first = page.locator(".hit").evaluate_all("hits => hits.map((hit) => hit.href)")
    page.get_by_role("link", name="Older").click()
    page.wait_for_url(re.compile("after="))
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    second = page.locator(".hit").evaluate_all("hits => hits.map((hit) => hit.href)")
    assert not set(first) & set(second)
    assert len(second) == min(40, len(kept) - 40)


def test_events_are_found(opened: Opened, shot: Shot, kept: list[TrackRow]) -> None:
    page = opened("/search?kind=events")
    expect(page.locator(".hit").first).to_contain_text("Forecourt")
    page.get_by_label("Silenced").select_option("only those")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile("silenced=yes"))
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit")).to_contain_text("silenced · zone entry")
    shot(page, "search-events")


def test_tracks_are_found_by_what_classifiers_say(opened: Opened, kept: list[TrackRow]) -> None:
    page = opened("/search")
    page.get_by_label("Attribute").fill("Hard hat: no")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile("attribute="))
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit")).to_contain_text("hard hat: no")


def test_what_was_found_is_taken_away(opened: Opened, kept: list[TrackRow]) -> None:
    page = opened("/search?camera=forecourt")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert download.value.suggested_filename == "tracks.csv"
    assert len(lines) == 1 + sum(row.last_ms > now_ms() - 86_400_000 for row in kept)


def test_who_may_see_one_camera_finds_nothing_of_the_other(
    site: ConsoleSite, opened: Opened, kept: list[TrackRow]
) -> None:
    site.cookie("hugo", "viewer", ["hall"])
    page = opened("/search?camera=forecourt", "hugo")
    expect(page.get_by_text("Nothing was seen that fits")).to_be_visible()
    expect(page.get_by_role("link", name="CSV")).to_have_count(0)
    assert "Forecourt" not in page.locator("#content").inner_text()
    page.goto(f"/search?track={kept[0].id}")
    expect(page.get_by_text("There is no such track")).to_be_visible()
    page.goto("/analytics?view=map")
    expect(page.locator(".pin")).to_have_count(1)


def test_movement_is_charts_and_tables(opened: Opened, shot: Shot, kept: list[TrackRow]) -> None:
    page = opened("/analytics?view=movement&camera=forecourt")
    expect(page.locator(".chart svg").first).to_be_visible()
    expect(page.get_by_role("region", name="Zones in this time")).to_contain_text("Whole picture")
    page.wait_for_function("document.querySelectorAll('.chart svg').length >= 3")
    page.wait_for_timeout(500)
    shot(page, "analytics-movement")
    page.screenshot(path="build/screenshots/analytics-movement-full.png", full_page=True)
    assert findings(page) == []


def test_heat_lies_over_the_picture(opened: Opened, shot: Shot, kept: list[TrackRow]) -> None:
    page = opened("/analytics?view=heat&camera=forecourt&last=7d", color_scheme="light")
    page.wait_for_function("document.querySelector('.veil')?.naturalWidth > 0")
    page.wait_for_timeout(1500)
    shot(page, "analytics-heat")
    assert findings(page) == []


def test_cameras_stand_on_the_plan(site: ConsoleSite, opened: Opened, shot: Shot, kept: list[TrackRow]) -> None:
    page = opened("/analytics?view=map")
    expect(page.locator(".plan .pin")).to_have_count(2)
    plan = Image.new("RGB", (1200, 700), "#eef1f3")
    drawing = ImageDraw.Draw(plan)
    for room in ((60, 60, 560, 320), (600, 60, 1140, 320), (60, 360, 1140, 640)):
        drawing.rectangle(room, outline="#556070", width=8)
    file = io.BytesIO()
    plan.save(file, "PNG")
    page.get_by_label("Choose a plan picture").set_input_files(
        {"name": "plan.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    expect(page.get_by_text("The plan was changed.")).to_be_visible()
    page.wait_for_function("document.querySelector('.plan img')?.naturalWidth > 0")
    shot(page, "analytics-map")
    assert findings(page) == []
    page.locator(".plan .pin", has_text="Forecourt").click()
    page.wait_for_url(re.compile("/live\\?camera=forecourt"))
