"""The models' page: what the gate says, a promotion to one camera, what it sees otherwise, and back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from playwright.sync_api import Page, expect

from archive.evidence.files import Folder
from archive.registry import KEY_FILE, Registry, held
from bus.reader import Reader
from contracts import topics
from contracts.controls import SetModel
from contracts.manifest import DataReference, Lineage
from contracts.model_reports import Compared, ModelReport
from tests.console_scene import now_ms
from tests.console_site import ConsoleSite
from tests.gate_tools import scene, seen
from tests.registry_tools import made
from tests.waiting import wait_until
from training.gate.judge import FrozenSet, Limits, judge
from training.gate.report import markdown
from vault import signing_key

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]
AP50 = {"1": 0.562, "2": 0.671, "3": 0.683}


@pytest.fixture(scope="module")
def registry(site: ConsoleSite, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Version 1 in service, 2 that passed the gate, 3 that lost cars in the hall."""
    folder = tmp_path_factory.mktemp("models")
    key = signing_key({}, site.folder / "state" / "archive" / KEY_FILE)
    registry = Registry(Folder(site.folder / "registry"), [key.public], now_ms, key)
    lineage = Lineage(parent="detector@1", data=(DataReference(name="answers-2026-01", sha256="4f" * 32),), code="0.9")
    for version, ap50 in AP50.items():
        metrics = {f"lobby.{name}": round(ap50 + more, 3) for name, more in (("mean_ap50", 0), ("person.ap50", 0.1))}
        manifest = made(folder, version, metrics=metrics, lineage=lineage if version != "1" else None)
        if version == "1":
            registry.adopt(manifest, "harbour", by="command of root")
        registry.register(manifest, by="command of root")
    gate(registry, "detector@2")
    gate(registry, "detector@3", blind=("hall", "car"))
    return registry


def gate(registry: Registry, id: str, **how: object) -> None:
    pictures = scene(per_camera=20)
    before, after = seen(pictures, "detector@1", recall=0.6, seed=1), seen(pictures, id, recall=0.9, seed=2, **how)
    sets = (FrozenSet(name="site", sha256="0" * 64, pictures=len(pictures)),)
    report = judge(pictures, before, after, sets, Limits(resamples=50))
    kept = msgspec.json.encode(report), markdown(report).encode()
    registry.gated(id, passed=report.passed, against="detector@1", report=kept, by="gate", why=report.why)


def report_of(site: ConsoleSite, **changes: object) -> ModelReport:
    return ModelReport(site="harbour", process="jobs-1", at_ms=now_ms(), in_service="detector@1", **changes)


def told(site: ConsoleSite) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """The models that the topic has the jobs work with."""
    with Reader(site.bootstrap, topics.CONTROLS) as reader:
        topic = held((record.value for record in reader.held()), "harbour")
    changes = {name: one.change for name, one in topic.items() if isinstance(one.change, SetModel)}
    return {name: (one.manifest.id, one.stage, one.cameras) for name, one in changes.items()}


def test_a_version_goes_to_one_camera_and_back(
    site: ConsoleSite, registry: Registry, opened: Opened, shot: Shot
) -> None:
    site.send(topics.MODEL_REPORTS, report_of(site))
    page = opened("/models")
    expect(page.get_by_role("article", name="Detector")).to_contain_text("detector@1")
    page.get_by_role("button", name="Look at detector@3").click()
    beside = page.get_by_role("complementary", name="detector@3")
    expect(beside).to_contain_text("car at hall: AP50 0.")
    expect(beside).to_contain_text("Gate: Refused")
    shot(page, "models-refused")

    page.get_by_role("button", name="Look at detector@2").click()
    page.get_by_role("button", name="Promote", exact=True).click()
    dialog = page.get_by_role("dialog", name="Promote")
    dialog.get_by_label("Canary").check()
    dialog.get_by_label("Entrance hall").check()
    dialog.get_by_label("Why").fill("finds bags in the hall")
    shot(page, "models-promote")
    dialog.get_by_role("button", name="Promote detector@2").click()
    expect(page.get_by_role("status").get_by_text("detector@2 is promoted")).to_be_visible()
    slot = page.get_by_role("article", name="Detector")
    expect(slot).to_contain_text("Canary at Entrance hall")
    compared = Compared(
        camera="hall",
        candidate="detector@2",
        in_service="detector@1",
        frames=1240,
        boxes={"person": 310, "bag": 4},
        gained={"bag": 22},
        lost={"person": 3},
    )
    site.send(topics.MODEL_REPORTS, report_of(site, candidate="detector@2", stage="canary", compared=(compared,)))
    expect(slot.get_by_role("row", name="Entrance hall bag")).to_contain_text("22")
    shot(page, "models")
    wait_until(
        lambda: (
            told(site)
            == {
                "model//detector": ("detector@1", "everywhere", ()),
                "candidate//detector": ("detector@2", "canary", ("hall",)),
            }
        )
    )

    slot.get_by_role("button", name="Take detector@2 back").click()
    dialog = page.get_by_role("dialog", name="Roll back")
    dialog.get_by_label("Why").fill("misses people")
    dialog.get_by_role("button", name="Take detector@2 back").click()
    expect(slot).not_to_contain_text("Canary")
    assert registry.decisions()[-1].why == "misses people"
    page.goto("/audit")
    expect(page.get_by_role("row", name="A model was taken back")).to_contain_text("maria")


def test_who_may_not_go_past_the_gate(site: ConsoleSite, registry: Registry, opened: Opened, shot: Shot) -> None:
    site.cookie("sven", role="supervisor")
    page = opened("/models?version=detector%403", "sven", color_scheme="light")
    beside = page.get_by_role("complementary", name="detector@3")
    expect(beside.get_by_role("button", name="Promote")).to_be_disabled()
    expect(beside).to_contain_text("It can't be promoted")
    shot(page, "models-light")
