"""The other pages in a real browser: live pictures, zones drawn and rules changed, agents, figures."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from console.signer.signing import Signer, serving
from contracts import topics
from contracts.config import Arming, Period
from contracts.config_file import load
from contracts.controls import Control, SetArming, SetLine, SetRule, SetZone
from contracts.messages import Feedback
from edge.identity import Identity, console_at
from tests.browser.test_accessibility import findings
from tests.console_scene import frame_of, now_ms, status_of, tracks_of
from tests.console_site import ConsoleSite

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


@contextmanager
def camera_running(
    site: ConsoleSite, camera: str = "forecourt", state: str = "up", agents: tuple[str, ...] = ("edge-1",)
) -> Iterator[threading.Event]:
    """An agent's pictures and word, five times and once a second, until the event is set or the block ends."""
    stopped = threading.Event()

    def run() -> None:
        index = 10_000 + int(time.time()) % 100_000
        while not stopped.is_set():
            index += 1
            frame = frame_of(camera, index, now_ms())
            site.send(topics.frames("harbour"), frame, camera)
            site.send(topics.TRACKS, tracks_of(frame), camera)
            if index % 5 == 0:
                for agent in agents:
                    site.send(topics.EDGE_STATUS, status_of(camera, state, agent=agent, version="0.1.0"), camera)
            stopped.wait(0.2)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stopped
    finally:
        stopped.set()
        thread.join()


def controls(site: ConsoleSite, kind: type, name: str = "") -> list[Control]:
    """What was told to the jobs of one thing."""
    for _ in range(10):
        told = [
            one
            for one in site.read(topics.CONTROLS, Control, 10_000, 2.0)
            if isinstance(one.change, kind) and getattr(one.change, "name", "") == name
        ]
        if told:
            return told
    return []


def test_live_pictures_move_and_are_never_old(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    with camera_running(site) as stopped, camera_running(site, "hall"):
        page = opened("/live")
        tile = page.locator('.tile[data-camera="forecourt"]')
        drawn = "element => Number(element.querySelector('canvas').dataset.drawn ?? 0)"
        page.wait_for_function(f"({drawn})(document.querySelector('[data-camera=forecourt]')) > 3")
        expect(tile).not_to_have_class(re.compile("stale"))
        expect(tile.locator("svg .mark")).to_have_count(2)
        expect(page.locator('.tile[data-camera="gate-01"]')).to_contain_text("Not live")
        shot(page, "live")
        tile.click()
        expect(page.get_by_role("heading", name="Forecourt")).to_be_visible()
        assert "camera=forecourt" in page.url
        page.wait_for_function(f"({drawn})(document.querySelector('[data-camera=forecourt]')) > 3")
        expect(page.locator(".values")).to_contain_text("edge-1")
        expect(page.locator(".values")).to_contain_text("Shutter to decision")
        expect(tile.locator("svg .mark.unknown")).to_have_count(1)
        expect(tile.locator("svg text").first).to_contain_text("unknown")
        page.keyboard.press("o")
        expect(tile.locator("svg .mark")).to_have_count(0)
        page.keyboard.press("o")
        page.keyboard.press("z")
        expect(tile.locator("svg .zone")).to_have_count(0)
        page.keyboard.press("z")
        shot(page, "live-one")
        page.keyboard.press("b")
        dialog = page.get_by_role("dialog", name="What was missed")
        expect(dialog).to_be_visible()
        for key in ("ArrowUp", "ArrowUp"):
            page.keyboard.press(key)
        shot(page, "live-missed")
        dialog.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status").get_by_text("Kept: person")).to_be_visible()
        said = [one for one in site.read(topics.FEEDBACK, Feedback, 10_000, 3.0) if one.action == "missed"][-1]
        assert (said.alert, said.camera) == (said.id, "forecourt")
        assert said.evidence is not None
        assert said.evidence.ref.topic == topics.frames("harbour")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("heading", name="Entrance hall")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name="Live")).to_be_visible()
        stopped.set()
        expect(tile).to_contain_text("Not live", timeout=20_000)
        expect(tile).to_contain_text("Last picture")
        shot(page, "live-old")
    site.send(topics.EDGE_STATUS, status_of("forecourt", "down", reason="connection refused"))
    expect(tile).to_contain_text("The camera delivers nothing. (connection refused)")


def test_a_zone_is_drawn_by_mouse_and_a_line_by_keyboard(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    zone, line = ("x" + uuid.uuid4().hex[:6] for _ in range(2))
    with camera_running(site):
        page = opened("/setup?camera=forecourt")
        page.wait_for_function("document.querySelector('.drawing img')?.naturalWidth > 0")
        page.get_by_role("button", name="New zone").click()
        area = page.locator(".drawing svg").bounding_box()
        assert area
        corners = ((0.1, 0.3), (0.3, 0.3), (0.3, 0.7), (0.1, 0.7), (0.1, 0.3))
        for x, y in corners:
            page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])
        page.get_by_label("Name").fill(zone)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").get_by_text(f"{zone} saved")).to_be_visible()
        (told,) = controls(site, SetZone, zone)
        assert [tuple(round(v, 2) for v in point) for point in told.change.zone.coordinates] == list(corners[:4])
        assert told.effective_from_ms <= now_ms() + 1000
        handle = page.get_by_role("button", name=re.compile("^Corner 3"))
        handle.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.get_by_label("Loitering after (s)").fill("12")
        shot(page, "setup-zone")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("button", name="Versions").click()
        expect(page.locator(".versions")).to_contain_text("Loitering after (s): 30 → 12")
        shot(page, "setup-versions")
        page.get_by_role("button", name="Restore").click()
        expect(page.get_by_label("Loitering after (s)")).to_have_value("30")
        page.get_by_role("button", name="New line").click()
        for key in ("ArrowLeft", "Space", *["ArrowRight"] * 20, "ArrowDown", "Space"):
            page.keyboard.press(key)
        page.get_by_label("Name").fill(line)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").get_by_text(f"{line} saved")).to_be_visible()
        (told,) = controls(site, SetLine, line)
        assert [tuple(round(v, 2) for v in point) for point in told.change.line.coordinates] == [
            (0.49, 0.5),
            (0.69, 0.51),
        ]
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("status").get_by_text(f"{line} removed")).to_be_visible()


def test_a_rule_is_adopted_changed_and_undone(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/setup")
    page.get_by_role("tab", name="Rules").click()
    page.get_by_role("button", name="loitering-at-the-crossing").click()
    expect(page.get_by_label("For how long (s)")).to_be_disabled()
    shot(page, "setup-rules")
    page.get_by_role("button", name="Adopt").click()
    expect(page.get_by_label("For how long (s)")).to_be_enabled()
    page.get_by_label("For how long (s)").fill("9")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("For how long (s)")).to_have_value("5")
    page.get_by_label("For how long (s)").fill("9")
    page.get_by_role("button", name="Add a period").click()
    page.locator(".days label", has_text="Su").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").get_by_text("loitering-at-the-crossing saved")).to_be_visible()
    told = controls(site, SetRule, "loitering-at-the-crossing")[-1].change.rule
    assert told.after_s == 9
    assert told.schedule[0].days == ("mon", "tue", "wed", "thu", "fri", "sat")
    shot(page, "setup-rule")
    page.get_by_role("button", name="New rule").click()
    page.get_by_role("dialog").get_by_label("Name").fill("crowd-on-the-lawn")
    page.get_by_role("dialog").get_by_label("Kind").select_option("Crowd")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("How many").fill("4")
    page.get_by_label(re.compile("^Zone")).select_option("lawn")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="crowd-on-the-lawn")).to_be_visible()
    assert controls(site, SetRule, "crowd-on-the-lawn")[-1].change.rule.count == 4


def test_what_makes_no_sense_is_refused_with_its_place(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/setup?rule=nobody-on-the-lawn")
    page.get_by_role("button", name="Adopt").click()
    page.get_by_label(re.compile("Least confidence")).fill("7")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_label(re.compile("Least confidence")).evaluate("field => !field.validity.valid")
    assert not controls(site, SetRule, "nothing")


def test_the_site_is_disarmed_from_any_page(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/health")
    page.get_by_text("Armed", exact=True).click()
    page.get_by_role("button", name="Disarm").click()
    expect(page.get_by_text("Disarmed", exact=True)).to_be_visible()
    assert [one for one in controls(site, SetArming) if not one.change.camera][-1].change.arming == Arming(armed=False)
    page.get_by_text("Disarmed", exact=True).click()
    page.get_by_role("button", name="Arm", exact=True).click()
    expect(page.get_by_text("Armed", exact=True)).to_be_visible()


def test_a_zone_is_off_and_a_camera_in_maintenance(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/setup")
    page.get_by_role("tab", name="Arming").click()
    page.get_by_role("group", name="Zones that are off").get_by_label("floor").check()
    page.get_by_role("group", name="Cameras in maintenance").get_by_label("gate-39").check()
    page.get_by_role("button", name="Add a period").click()
    shot(page, "setup-arming")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").get_by_text("Arming saved")).to_be_visible()
    told = controls(site, SetArming)
    assert any(one.change.camera == "gate-39" and one.change.arming.maintenance for one in told)
    arming = [one.change.arming for one in told if not one.change.camera][-1]
    assert (arming.disarmed_zones, arming.schedule) == (("floor",), (Period(from_="22:00", until="06:00"),))
    page.get_by_role("group", name="Zones that are off").get_by_label("floor").uncheck()
    page.get_by_role("group", name="Cameras in maintenance").get_by_label("gate-39").uncheck()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()


def test_health_tells_of_agents_jobs_and_broker(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    with camera_running(site):
        page = opened("/health")
        expect(page.get_by_role("row", name="Forecourt")).to_contain_text("Live", timeout=20_000)
        expect(page.get_by_text("Alerts are read")).to_be_visible()
        expect(page.get_by_text(re.compile("Pictures are decided on within"))).to_be_visible(timeout=20_000)
        expect(page.get_by_role("row", name="gate-01")).to_contain_text("Waiting")
        shot(page, "health")


@contextmanager
def signing(site: ConsoleSite) -> Iterator[None]:
    """The signer beside the console."""
    key = site.folder / "authority.key"
    key.write_bytes(site.authority.key)
    with serving(Signer(load(site.folder / "site.yaml"), Path(site.authority.ca), key, now_ms), site.signer):
        yield


def test_an_agent_is_let_in_by_a_token_and_taken_out(
    site: ConsoleSite, opened: Opened, shot: Shot, tmp_path: Path
) -> None:
    page = opened("/health", script="Object.defineProperty(navigator, 'clipboard', {})")  # as over plain HTTP
    page.locator(".page header").get_by_role("link", name="Agents").click()
    expect(page.get_by_role("row", name="quay")).to_contain_text("Not enrolled")
    expect(page.get_by_role("row", name="quay")).to_contain_text(
        "not read: hall, gate-00, gate-01, gate-02, gate-03 and 36 more"
    )
    with camera_running(site, "hall", agents=("quay",)), camera_running(site, agents=("quay", "edge-1")):
        twice = page.get_by_text("Read by several agents at once: forecourt (edge-1, quay)")
        expect(twice).to_be_visible(timeout=20_000)
        expect(page.get_by_text(re.compile(r"^Nobody reads: gate-00, gate-01,"))).to_be_visible()
        expect(page.get_by_role("row", name="edge-1")).to_contain_text("At work")
        assert findings(page) == []
        shot(page, "agents-read")
    page.get_by_role("button", name="New token gatehouse").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("lets this agent enrol once")
    page.get_by_label("Good for").select_option("1 day")
    page.get_by_role("button", name="Make the token").click()
    commands = page.get_by_label("Commands for the agent's machine").input_value()
    expect(page.get_by_role("status").get_by_text("gatehouse has not enrolled yet")).to_be_visible()
    assert findings(page) == []
    shot(page, "agents-token")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").get_by_text("Copied")).to_be_visible()
    (token,) = re.findall(r"echo (\S+) \| python -m edge.enrol [^|]*--console " + re.escape(site.address), commands)
    with signing(site):
        Identity(tmp_path).enrol(console_at(site.address, ""), token, site.address, "", "harbour", "1.4.0")
    expect(page.get_by_role("status").get_by_text("gatehouse has enrolled")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    row = page.get_by_role("row", name="gatehouse")
    for text in ("Enrolled", "1.4.0", "in 23 h", "127.0.0.1"):
        expect(row).to_contain_text(text)
    shot(page, "agents")
    page.get_by_role("button", name="Take out gatehouse").click()
    expect(page.get_by_role("dialog")).to_contain_text("sends pictures as before")
    assert findings(page) == []
    shot(page, "agents-out")
    page.get_by_role("dialog").get_by_role("button", name="Take out").click()
    expect(row).to_contain_text("Taken out")
    page.get_by_role("button", name="Dark or light").click()
    assert findings(page) == []
    shot(page, "agents-light")
    page = opened("/agents", "otto")
    expect(page.get_by_role("alert")).to_contain_text("needs the role Administrator")


def test_audit_holds_who_did_what_and_is_whole(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    page = opened("/audit?who=maria")
    expect(page.get_by_role("row", name=re.compile("Looked at")).first).to_be_visible()
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text("The chain is whole")).to_be_visible()
    shot(page, "audit")


def test_analytics_and_hand_over(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    word = uuid.uuid4().hex[:8]
    site.alert(why=f"left for the next shift {word}")
    page = opened("/analytics?last=8h")
    expect(page.locator(".chart svg")).to_have_count(3)
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("table").first).to_be_visible()
    shot(page, "analytics")
    page = opened("/handover", color_scheme="light")
    expect(page.get_by_text(f"left for the next shift {word}")).to_be_visible()
    expect(page.get_by_role("table", name=None).first).to_be_visible()
    shot(page, "handover")
