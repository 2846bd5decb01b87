"""The three jobs in a real mini cluster behind a real broker: known frames in, known tracks and alerts out."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from contracts import topics
from contracts.attributes import KIND
from contracts.config import ZoneEntry
from contracts.controls import Control, SetModel, SetRule
from contracts.drift import DriftReport
from contracts.messages import Alert, DeadLetter, Frame, FrameDetections, FrameTracks, WindowStats
from tests.builders import DATA, shade_manifest
from tests.jobs.faults import READ_BY_JOBS, killed, send_mixed
from tests.jobs.world import CONFIG, T0_MS, SiteUnderTest, frame, story, visits

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

COUNT = 600
"""Frames a camera: somebody comes every 80."""
VISITS = 8
LATE = 60
SWAPPED_MS = T0_MS + 20_000
"""From then on another classifier looks."""
GARBAGE = 300
"""On each topic; the bench sends 10,000."""


class Mixed(NamedTuple):
    """What became of good frames with malformed messages on every topic between them; `bad` is how many were sent."""

    bad: Counter[str]
    letters: list[DeadLetter]
    detections: list[FrameDetections]
    tracks: list[FrameTracks]
    alerts: list[Alert]
    windows: list[WindowStats]
    drift: list[DriftReport]


def both_cameras() -> list[Frame]:
    return [one for pair in zip(visits("gate", COUNT), visits("yard", COUNT), strict=True) for one in pair]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    """A run of which nothing is killed."""
    with SiteUnderTest(tmp_path_factory.mktemp("mixed")) as site:
        # Before all others, to be above them: somebody with an agent's key who wants none of its frames to count.
        site.send([replace(both_cameras()[0], session=2**61)])
        bad = send_mixed(site, both_cameras(), READ_BY_JOBS, GARBAGE, random.Random(7))
        bad[topics.frames("site")] += 1
        site.send(visits("gate", LATE), lane="late")
        wanted = 2 * COUNT + LATE
        site.wait("tracks of every frame", lambda: len(site.messages(topics.TRACKS, FrameTracks)) >= wanted)
        site.wait("dead letters", lambda: len(site.messages(topics.DEAD_LETTERS, DeadLetter)) >= sum(bad.values()))
        return Mixed(
            bad,
            site.messages(topics.DEAD_LETTERS, DeadLetter),
            site.messages(topics.DETECTIONS, FrameDetections),
            site.messages(topics.TRACKS, FrameTracks),
            site.messages(topics.ALERTS, Alert),
            site.messages(topics.ANALYTICS, WindowStats),
            site.messages(topics.DRIFT, DriftReport),
        )


def test_frames_become_alerts_whatever_else_is_on_the_topics(mixed: Mixed) -> None:
    """Each malformed message is a dead letter with a reason, and every good one is processed."""
    assert Counter((t.camera, t.lane) for t in mixed.tracks) == {
        ("gate", "live"): COUNT,
        ("yard", "live"): COUNT,
        ("gate", "late"): LATE,
    }
    for camera, lane in (("gate", "live"), ("yard", "live"), ("gate", "late")):
        indexes = [t.index for t in mixed.tracks if (t.camera, t.lane) == (camera, lane)]
        assert indexes == sorted(indexes)
    assert Counter(letter.topic for letter in mixed.letters) == mixed.bad
    assert all(letter.reason for letter in mixed.letters)
    assert Counter((a.camera, a.late) for a in mixed.alerts if a.state == "new") == {
        ("gate", False): VISITS,
        ("yard", False): VISITS,
        ("gate", True): 1,
    }
    assert {a.id for a in mixed.alerts if a.state == "new"} == {a.id for a in mixed.alerts if a.state == "end"}
    seen = {d.ref for d in mixed.detections if d.lane == "live"}
    for alert in mixed.alerts:
        assert alert.evidence is not None
        assert alert.late or alert.evidence.ref in seen
    assert sum(
        w.entered for w in mixed.windows if (w.camera, w.lane, w.zone, w.label) == ("yard", "live", "left", "person")
    )


def test_tracks_that_ended_are_learnt_as_what_a_camera_shows(mixed: Mixed) -> None:
    for camera in ("gate", "yard"):
        learnt = [one.learnt for one in mixed.drift if one.camera == camera]
        assert learnt == list(range(1, len(learnt) + 1))
        assert len(learnt) >= VISITS // 2 - 1  # two tracks a block; the last may still be there


def test_alerts_are_the_same_when_flink_is_killed(mixed: Mixed, tmp_path: Path) -> None:
    disturbed = killed(tmp_path, both_cameras(), 2, random.Random(7))
    assert disturbed == story([alert for alert in mixed.alerts if not alert.late])
    assert Counter(state for _, _, state, _ in disturbed)["new"] == 2 * VISITS


def with_classifier(folder: Path) -> dict[str, object]:
    """The site's config with a classifier on the camera `gate`, and rules for what it says."""
    shade = shade_manifest()
    (folder / shade.file).write_bytes((DATA / shade.file).read_bytes())
    (folder / "shade.json").write_bytes(msgspec.json.encode(shade))
    cameras = CONFIG["cameras"] | {"yard": CONFIG["cameras"]["yard"] | {"classifiers": {"shade": {"enabled": False}}}}
    asked = {
        name: {
            "kind": "zone_entry",
            "zone": "left",
            "cameras": ["gate"],
            "cooldown_s": 1,
            "attributes": {"shade": name},
        }
        for name in ("red", "blue")
    }
    rules = CONFIG["rules"] | asked
    return CONFIG | {"classifiers": {"shade": {"manifest": "shade.json"}}, "cameras": cameras, "rules": rules}


def test_rules_models_and_attributes_while_frames_flow(tmp_path: Path) -> None:
    with SiteUnderTest(tmp_path, with_classifier(tmp_path)) as site:
        site.send(visits("gate", 120)[:119])
        site.wait("the first frames", lambda: len(site.messages(topics.TRACKS, FrameTracks)) >= 119)
        for number, changes in ((2, {"thresholds": {"default": 0.75}}), (3, {"sha256": "0" * 64})):
            shade = SetModel(manifest=shade_manifest(version=str(number), **changes), folder=str(tmp_path))
            site.control(
                Control(site="site", origin="console", version=number, effective_from_ms=SWAPPED_MS, change=shade)
            )
        rule = ZoneEntry(zone="left", severity="critical", cooldown_s=1)
        change = Control(
            site="site",
            origin="console",
            version=2,
            effective_from_ms=T0_MS + 22_000,
            change=SetRule(name="entry", rule=rule),
        )
        site.control(change)
        newer = msgspec.structs.replace(site.manifest, version="2", thresholds={"default": 0.4, "person": 0.5})
        model = SetModel(manifest=newer, folder=str(site.folder))
        site.control(Control(site="site", origin="console", version=1, effective_from_ms=T0_MS, change=model))
        refused = SetModel(
            manifest=msgspec.structs.replace(newer, version="3", sha256="0" * 64), folder=str(site.folder)
        )
        site.control(Control(site="site", origin="console", version=2, effective_from_ms=T0_MS, change=refused))

        def in_service() -> bool:
            """One frame a look, as the swap waits for nothing."""
            number = len(site.messages(topics.DETECTIONS, FrameDetections))
            site.send([frame("yard", number)])
            return "bright_boxes@2" in {d.model for d in site.messages(topics.DETECTIONS, FrameDetections)}

        site.wait("the new model", in_service)
        site.send([msgspec.structs.replace(one, last=False) for one in visits("gate", 300)[120:]])
        site.wait("the rest", lambda: sum(t.camera == "gate" for t in site.messages(topics.TRACKS, FrameTracks)) >= 299)
        new = sorted(
            (a for a in site.messages(topics.ALERTS, Alert) if a.state == "new" and a.rule == "entry"),
            key=lambda a: a.started_at_ms,
        )
        assert [a.severity for a in new if a.camera == "gate"] == ["medium", "medium", "medium", "critical"]
        assert new[-1].model == "bright_boxes@2"
        calibrated = {d.model: d.thresholds for d in site.messages(topics.DETECTIONS, FrameDetections)}
        assert calibrated == {"bright_boxes@1": {}, "bright_boxes@2": {"person": 0.5}}
        asked = [a for a in site.messages(topics.ALERTS, Alert) if a.state == "new" and a.rule in ("red", "blue")]
        assert [(a.rule, a.why) for a in asked] == [("red", "person (shade: red) entered left")] * 4
        assert [(one.name, one.value) for a in asked for one in a.attributes] == [("shade", "red")] * 4
        detections = [d for d in site.messages(topics.DETECTIONS, FrameDetections) if d.camera == "gate"]
        assert {d.index for d in detections} == {*range(300)} - {119}
        assert len(detections) == 299
        looks = {
            (d.captured_at_ms >= SWAPPED_MS, d.detail, look.kind, look.model, look.thresholds["default"])
            for d in site.messages(topics.DETECTIONS, FrameDetections)
            for box in d.detections
            for look in box.looks
            if look.kind.startswith(KIND)
        }
        assert looks == {
            (False, True, "attribute:shade", "bright_classifier@1", 0.7),
            (True, True, "attribute:shade", "bright_classifier@2", 0.75),
        }
