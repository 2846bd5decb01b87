"""Models change in the real jobs under load: no frame is lost or told twice, and a bad canary goes by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.controls import SetModel
from contracts.manifest import ModelManifest
from tests.builders import DATA, manifest_of
from tests.jobs.swaps import CAMERAS, Cameras, Told, ends, swap, swap_often, told
from tests.jobs.world import LABELS, SiteUnderTest

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

SWAPS = 20
BAD = {
    "bright_blind": "boxes of person are lost",
    "bright_raising": "failed on",
    "bright_slow": "ms a frame instead of",
}
"""Models that open and pass their first run, with what the stream is to find out."""
TAKEN_BACK_WITHIN_MS = 60_000
EVERYWHERE = "bright_blind@everywhere"


def test_swaps_lose_no_frame_and_bad_canaries_are_taken_back(tmp_path: Path) -> None:
    site, said = SiteUnderTest(tmp_path), []
    site.system.say = said.append
    with site, Cameras(site) as cameras:
        versions = [replace(site.manifest, version=str(number)) for number in range(2, SWAPS + 2)]
        swaps = swap_often(site, versions, str(site.folder), every_s=1.0, lead_ms=2_000)
        begun = {name: _canary(site, name) for name in BAD}
        went_ms = _everywhere(site, versions[-1])
        sent = cameras.sent
        site.wait("all frames", lambda: all(len(told(site).counts(camera)) >= sent for camera in CAMERAS))
        site.wait("the terminal's words", lambda: sum("is taken back" in line for line in said) >= len(BAD) + 1)
        everything, over = told(site), ends(site)

    candidates = {f"{name}@1" for name in BAD}
    for camera in CAMERAS:
        counts = everything.counts(camera)
        assert [index for index in range(sent) if counts[index] != 1] == []
    before_canaries = Told([one for one in everything.detections if one.captured_at_ms < min(begun.values())])
    assert before_canaries.misplaced(site.manifest.id, swaps) == []
    assert {one.model for one in everything.detections if one.camera == "yard"} & candidates == set()
    taken_ms, change = over[EVERYWHERE]
    assert (change.in_service, "boxes of person are lost" in change.reason) == (True, True)
    assert taken_ms - went_ms <= TAKEN_BACK_WITHIN_MS
    assert {one.model for one in everything.detections if one.captured_at_ms >= taken_ms} == {versions[-1].id}
    assert candidates - {one.model for one in everything.detections} == {"bright_raising@1"}  # it never could
    for name, why in BAD.items():
        ended_ms, change = over[f"{name}@1"]
        assert change.by == "rollout-guard"
        assert why in change.reason
        assert ended_ms - begun[name] <= TAKEN_BACK_WITHIN_MS
        assert f"jobs: model {name}@1 is taken back: {change.reason}" in said


def _canary(site: SiteUnderTest, name: str) -> int:
    """Promote a bad model at the gate, and wait until it is taken back; returns when it began."""
    manifest = manifest_of(DATA / f"{name}.onnx", label_map=LABELS)
    canary = SetModel(manifest=manifest, folder=str(DATA), stage="canary", cameras=("gate",), share=1.0)
    begun = swap(site, canary, lead_ms=2_000)
    site.wait(f"the end of {name}", lambda: begun.model in ends(site))
    return begun.from_ms


def _everywhere(site: SiteUnderTest, before: ModelManifest) -> int:
    """Put a bad model into service, and wait until the one before is back for good; returns when it began."""
    name, version = EVERYWHERE.split("@")
    manifest = manifest_of(DATA / f"{name}.onnx", version=version, label_map=LABELS)
    begun = swap(site, SetModel(manifest=manifest, folder=str(DATA), share=1.0, before=before), lead_ms=2_000)
    site.wait("the end of it", lambda: EVERYWHERE in ends(site))
    time.sleep(2.0)
    return begun.from_ms
