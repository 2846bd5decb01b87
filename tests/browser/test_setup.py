"""Cameras added with a test picture from a real agent, masks, rules tried before they are saved, the site as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from contracts import topics
from contracts.controls import Control, EdgeControl, RunCamera, SetSuppressions, StopCamera
from tests.browser.test_accessibility import findings
from tests.console_scene import frame_of, now_ms, tracks_of
from tests.console_site import ConsoleSite
from tests.edge_tools import RunningAgent, moving_square, write_clip

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]
FRIGATE = Path(__file__).parents[1] / "unit" / "contracts" / "frigate" / "zones.yml"


@pytest.fixture
def clip(site: ConsoleSite, tmp_path: Path) -> Iterator[Path]:
    """A recording, and a real agent of the site that can open it."""
    config = tmp_path / "agent.yaml"
    cameras = {"gate-00": {"inputs": [{"url": "none.mp4"}], "enabled": False}}
    config.write_text(json.dumps({"site": {"name": "harbour"}, "edge": {"metrics_port": 0}, "cameras": cameras}))
    path = write_clip(tmp_path / "porch.avi", 50, picture=lambda n: moving_square(n, 960, 540))
    with RunningAgent(config, site.bootstrap, tmp_path / "edge", "--name=quay"):
        yield path


def edge_controls(site: ConsoleSite, kind: type) -> list[EdgeControl]:
    """What was told to the agent."""
    return [one for one in site.read(topics.EDGE_CONTROLS, EdgeControl, 10_000, 2.0) if isinstance(one.change, kind)]


def test_a_camera_is_tried_added_masked_and_taken_back(
    site: ConsoleSite, opened: Opened, shot: Shot, clip: Path
) -> None:
    page = opened("/setup?tab=sources")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="New camera").click()
    page.get_by_label("Name").fill("Porch")
    page.keyboard.press("Enter")
    page.get_by_label("Read by the agent").select_option("quay")
    address = page.get_by_label("Address")
    address.fill("rtsp://viewer:tapioca@192.168.1.20/1")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("status").get_by_text("write {PORCH_PASSWORD} in its place")).to_be_visible()
    address.fill(str(clip) + "x")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text(re.compile("there is no file"))).to_be_visible()
    address.fill(str(clip))
    page.get_by_role("button", name="Try it").click()
    picture = page.get_by_alt_text("Test picture of this address")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 640
    page.get_by_label("Name that is shown").fill("Porch")
    page.get_by_label("Pictures a second").fill("4")
    shot(page, "setup-camera")
    assert findings(page) == []
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").get_by_text("porch saved")).to_be_visible()
    (told,) = edge_controls(site, RunCamera)
    assert (told.change.camera, told.change.spec.agent, told.change.spec.detect.fps) == ("porch", "quay", 4.0)

    page.get_by_role("tab", name="Zones and lines").click()
    page.get_by_role("button", name="New mask").click()
    for keys in (["Space"], [*["ArrowRight"] * 9, "Space"], [*["ArrowDown"] * 9, "Space"], ["Enter"]):
        for key in keys:
            page.keyboard.press(key)
    page.get_by_label("Name").fill("window")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("window saved")).to_be_visible()
    assert "window" in edge_controls(site, RunCamera)[-1].change.spec.masks
    shot(page, "setup-mask")
    page.get_by_role("status").get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("status").get_by_text("porch is as it was before")).to_be_visible()
    assert edge_controls(site, RunCamera)[-1].change.spec.masks == {}

    page.get_by_role("tab", name="Cameras", exact=True).click()
    page.get_by_role("button", name="Porch").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status").get_by_text("porch removed")).to_be_visible()
    assert edge_controls(site, StopCamera)[-1].change.camera == "porch"


def test_a_rule_is_tried_before_it_is_saved(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    since_ms = now_ms() - 1_800_000
    for visit in range(4):
        # Somebody walks through for six seconds; then a frame in five says that nobody is there.
        times = [visit * 120_000 + (500 * n if n < 12 else 5_000 * (n - 10)) for n in range(30)]
        for n, at_ms in enumerate(times):
            frame = frame_of("hall", 60, since_ms + at_ms)
            tracks = tracks_of(replace(frame, session=2, index=100 * visit + n))
            walking = replace(
                tracks.tracks[0],
                track_id=visit + 1,
                first_seen_at_ms=since_ms + times[0],
                xyxy=(120.0 + 20 * n, 150.0, 180.0 + 20 * n, 300.0),
            )
            site.send(topics.TRACKS, replace(tracks, tracks=(walking,) if n < 12 else ()), "hall")
    page = opened("/setup?rule=hall-closed")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_text("Alerts there would have been: 4")).to_be_visible(timeout=60_000)
    expect(page.locator(".moments li")).to_have_count(4)
    shot(page, "setup-try")
    page.get_by_role("button", name="Adopt").click()
    page.get_by_label("No second alert within (s)").fill("600")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_text("Alerts there would have been: 1")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("As it is in force: 4")).to_be_visible()
    shot(page, "setup-try-compared")
    attributes = page.get_by_label("Only with these attributes")
    for text, good in (("hard_hat no", False), ("hard_hat: no, vest: no", True), ("", True)):
        attributes.fill(text)
        assert attributes.evaluate("input => input.checkValidity()") == good, text
    assert findings(page) == []


def test_the_site_goes_out_and_comes_in_as_a_file(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/setup?tab=file")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download YAML").click()
    text = Path(download.value.path()).read_text()
    assert "friendly_name: Harbour office" in text
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "harbour.yaml", "mimeType": "text/yaml", "buffer": text.encode()}
    )
    expect(page.get_by_text("It says what is in force already.")).to_be_visible()
    page.get_by_label("File", exact=True).set_input_files(FRIGATE)
    expect(page.get_by_text("Would be added (")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("cameras.street.zones.torn"))).to_contain_text("crosses itself")
    shot(page, "setup-frigate")
    assert findings(page) == []
    more = text.replace("\nrules:\n", "\nrules:\n  file-down: {kind: camera_down, silent_s: 33}\n")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "more.yaml", "mimeType": "text/yaml", "buffer": more.encode()}
    )
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status").get_by_text("1 changes are in force")).to_be_visible()
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "bad.yaml", "mimeType": "text/yaml", "buffer": b"cameras: 7"}
    )
    expect(page.get_by_role("alert")).to_contain_text("bad.yaml: cameras:")
    page.get_by_role("tab", name="Rules").click()
    page.get_by_role("button", name="file-down").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status").get_by_text("file-down removed")).to_be_visible()


def test_what_an_answer_silences_is_seen_and_taken_back(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    alert = site.alert(rule="nobody-on-the-lawn", why="person entered lawn, or a coat stand")
    page = opened(f"/?alert={alert.id}")
    page.get_by_role("toolbar", name="Answers").get_by_role("button", name="False").click()
    page.goto(f"/?status=all&alert={alert.id}")
    note = page.get_by_text("This answer silences what comes again like this")
    expect(note).to_be_visible()
    shot(page, "alert-silenced")
    assert findings(page) == []
    page.goto("/setup?tab=silenced")
    row = page.get_by_role("row", name=re.compile("nobody-on-the-lawn.*maria · false")).first
    expect(row).to_be_visible()
    shot(page, "setup-silenced")
    assert findings(page) == []
    row.get_by_role("button", name="Alert again").click()
    said = page.get_by_role("status").get_by_text("What looks like this alerts again")
    expect(said).to_be_visible()
    expect(said).to_have_count(0, timeout=10_000)  # it would lie over what is below it
    page.goto(f"/?status=all&alert={alert.id}")
    expect(page.get_by_role("heading", name=alert.why)).to_be_visible()
    expect(note).to_have_count(0)
    told = [one.change for one in site.read(topics.CONTROLS, Control, 10_000, 2.0)]
    told = [one.suppressions for one in told if isinstance(one, SetSuppressions)]
    assert [alert.id in {one.alert for one in each} for each in told][-2:] == [True, False]
