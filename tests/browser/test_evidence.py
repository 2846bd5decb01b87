"""Evidence in the open alert: the clip plays, appears by itself, a case holds it, and an export verifies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from archive.collection.items import Box, Item
from archive.collection.store import Collection
from archive.evidence import paths
from archive.evidence.bundle import verified
from archive.evidence.chain import as_json
from archive.evidence.clip import ClipInfo
from archive.evidence.draw import subtitle_height, subtitled
from archive.evidence.encode import Shot, encoded
from archive.evidence.files import Folder
from contracts import topics
from contracts.manifest import load_manifest
from contracts.messages import Alert, Evidence, EvidenceNote, FrameRef
from tests.browser.test_accessibility import findings
from tests.builders import jpeg_of
from tests.console_scene import now_ms, person_at, scene
from tests.console_site import ConsoleSite
from vault import PublicKey

Opened = Callable[..., Page]
Keep = Callable[[Page, str], None]
FRAMES = 20
BUNDLED = Path(__file__).parents[2] / "models" / "detector.json"


def make_clip(site: ConsoleSite, alert: Alert) -> None:
    """Keep a clip as the evidence service does, and tell of it."""
    pictures = [
        subtitled(scene(number * 4), "Forecourt", f"gated: {FRAMES} frames over 3.8 s") for number in range(FRAMES)
    ]
    height, width = pictures[0].shape[:2]
    film = encoded((Shot(200 * n, one) for n, one in enumerate(pictures)), (width, height), "gated")
    info = ClipInfo(alert=alert.id, wanted_from_ms=1, wanted_until_ms=2, frames=FRAMES, seconds=3.8, bounded=True)
    site.chain.keep(paths.place_of(alert), {paths.CLIP: film, paths.CLIP_INFO: as_json(info)}, "clip")
    note = EvidenceNote(site="harbour", camera=alert.camera, alert=alert.id, at_ms=now_ms(), kind="clip", why="")
    site.send(topics.EVIDENCE, note, alert.id)


def test_a_clip_appears_and_plays(site: ConsoleSite, opened: Opened, shot: Keep) -> None:
    alert = site.alert(why="person entered lawn, with a clip")
    page = opened(f"/?alert={alert.id}")
    expect(page.get_by_text("The clip is made when the alert is over.")).to_be_visible()
    make_clip(site, alert)
    expect(
        page.get_by_text(
            "20 pictures over 3.8 s; few are kept while nothing moves · cut off at the longest that a clip may be"
        )
    ).to_be_visible()
    page.wait_for_function("document.querySelector('.clip video').readyState >= 2")
    video = page.locator(".clip video")
    size = video.evaluate("video => [video.videoWidth, video.videoHeight, video.duration]")
    assert size[:2] == [480, 360 + subtitle_height(360)]
    assert 3.7 < size[2] < 4.2
    video.evaluate("video => { video.currentTime = 2.5; return video.play(); }")
    page.wait_for_function("document.querySelector('.clip video').currentTime > 2.7")
    shot(page, "alert-clip")
    looks = site.api("GET", "/api/audit?action=look")["entries"]
    assert [one["who"] for one in looks if one["subject"] == alert.id and "clip" in one["details"]] == ["maria"]


def test_a_case_holds_it_and_an_export_verifies(site: ConsoleSite, opened: Opened, shot: Keep, tmp_path: Path) -> None:
    alert = site.alert(why="person entered lawn, for the police")
    make_clip(site, alert)
    page = opened(f"/?alert={alert.id}")
    expect(page.locator(".detail h1")).to_contain_text("for the police")
    page.keyboard.press("h")
    page.get_by_label("Name of the case").fill("2026-17 bicycle")
    shot(page, "alert-hold")
    page.get_by_role("dialog").get_by_role("button", name="Hold", exact=True).click()
    expect(page.get_by_text("Held for 2026-17 bicycle")).to_be_visible()
    expect(page.locator(".detail .history")).to_contain_text("holds its evidence for 2026-17 bicycle")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as one signed file").click()
    file = tmp_path / "evidence.zip"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"evidence-{alert.id}.zip"
    key = PublicKey.parse(site.api("GET", f"/api/alerts/{alert.id}/evidence")["public_key"])
    assert "clip.mp4" in {one.name for one in verified(file.read_bytes(), key).entries}
    page.locator(".cases").scroll_into_view_if_needed()
    shot(page, "alert-evidence")
    page.get_by_role("button", name="Let go of 2026-17 bicycle").click()
    expect(page.get_by_text("Held for 2026-17 bicycle")).to_have_count(0)


def test_who_may_not_export_is_told(site: ConsoleSite, opened: Opened) -> None:
    alert = site.alert(why="person entered lawn, before an operator")
    page = opened(f"/?alert={alert.id}", "otto")
    expect(page.get_by_text("A supervisor can export it.")).to_be_visible()
    expect(page.get_by_role("link", name="Export as one signed file")).to_have_count(0)


def collect(site: ConsoleSite, frames: tuple[int, ...]) -> None:
    """A data set of a few frames of the clip, in which somebody confirmed a person."""
    collection = Collection(Folder(site.folder / "state" / "archive" / "collection"))
    items = []
    for number in frames:
        xyxy, _ = person_at(number)
        said = Box(xyxy=xyxy, label="person", kind="confirmed", by="maria")
        name = collection.keep_picture(jpeg_of(scene(number)))
        items.append(
            Item(
                sha256=name,
                width=480,
                height=360,
                site="harbour",
                camera="forecourt",
                captured_at_ms=now_ms() - 86_400_000 + number,
                source="alert",
                boxes=(said,),
            )
        )
    collection.commit(items, now_ms())


@pytest.mark.shared
def test_where_the_model_saw_it_is_shown_on_demand(site: ConsoleSite, opened: Opened, shot: Keep) -> None:
    ref = FrameRef("frames.harbour", 0, 40)
    (xyxy, _), taken = person_at(40), {"captured_at_ms": now_ms(), "confidence": 0.87, "detail": True}
    seen = Evidence(ref=ref, width=480, height=360, xyxy=xyxy, **taken)
    why = "person entered lawn, as the detector saw"
    alert = site.alert(model=load_manifest(BUNDLED).id, why=why, evidence=seen)
    collect(site, (0, 40, 80))
    page = opened(f"/?alert={alert.id}")
    page.get_by_role("button", name="Why here").click()
    heat = page.locator(".detail .zoomer img[src^='data:']")
    expect(heat).to_be_visible(timeout=60_000)
    alike = page.get_by_role("region", name="looks most like").get_by_role("listitem")
    expect(alike).to_have_count(3)
    expect(alike.first).to_contain_text("person confirmed by maria")
    expect(page.get_by_role("button", name="Why here")).to_have_attribute("aria-pressed", "true")
    shot(page, "alert-why-here")
    assert findings(page) == []
    page.keyboard.press("w")
    expect(heat).to_have_count(0)
    expect(alike).to_have_count(0)
