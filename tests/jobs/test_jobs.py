"""The three jobs in a real mini cluster behind a real broker: known frames in, known tracks and alerts out."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from contracts import topics
from contracts.attributes import KIND
from contracts.config import ZoneEntry
from contracts.controls import Control, SetModel, SetRule
from contracts.messages import Alert, DeadLetter, FrameDetections, FrameTracks, WindowStats
from tests.builders import DATA, shade_manifest
from tests.jobs.faults import READ_BY_JOBS, killed, send_mixed
from tests.jobs.world import CONFIG, T0_MS, SiteUnderTest, frame, visits

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

COUNT = 300
GARBAGE = 300
"""On each topic; the bench sends 10,000."""


def test_frames_become_alerts_whatever_else_is_on_the_topics(tmp_path: Path) -> None:
    """Malformed messages among good ones: each a dead letter with a reason, and every good one is processed."""
    rng = random.Random(7)
    with SiteUnderTest(tmp_path) as site:
        good = [one for pair in zip(visits("gate", COUNT), visits("yard", COUNT), strict=True) for one in pair]
        bad = send_mixed(site, good, READ_BY_JOBS, GARBAGE, rng)
        site.send(visits("gate", 60), lane="late")
        site.wait("tracks of every frame", lambda: len(site.messages(topics.TRACKS, FrameTracks)) >= 2 * COUNT + 60)
        site.wait("dead letters", lambda: len(site.messages(topics.DEAD_LETTERS, DeadLetter)) >= sum(bad.values()))

        tracks = site.messages(topics.TRACKS, FrameTracks)
        letters = site.messages(topics.DEAD_LETTERS, DeadLetter)
        alerts = site.messages(topics.ALERTS, Alert)
        assert Counter((t.camera, t.lane) for t in tracks) == {
            ("gate", "live"): COUNT,
            ("yard", "live"): COUNT,
            ("gate", "late"): 60,
        }
        for camera, lane in (("gate", "live"), ("yard", "live"), ("gate", "late")):
            indexes = [t.index for t in tracks if (t.camera, t.lane) == (camera, lane)]
            assert indexes == sorted(indexes)
        assert Counter(letter.topic for letter in letters) == bad
        assert all(letter.reason for letter in letters)
        # Somebody comes every 80 frames: 4 visits to each camera live, one late.
        assert Counter((a.camera, a.late) for a in alerts if a.state == "new") == {
            ("gate", False): 4,
            ("yard", False): 4,
            ("gate", True): 1,
        }
        assert {a.id for a in alerts if a.state == "new"} == {a.id for a in alerts if a.state == "end"}
        detections = {
            (d.camera, d.index): d for d in site.messages(topics.DETECTIONS, FrameDetections) if d.lane == "live"
        }
        for alert in alerts:
            assert alert.evidence is not None
            seen = [d.ref for d in detections.values()] if not alert.late else [alert.evidence.ref]
            assert alert.evidence.ref in seen
        windows = site.messages(topics.ANALYTICS, WindowStats)
        assert sum(
            w.entered for w in windows if (w.camera, w.lane, w.zone, w.label) == ("yard", "live", "left", "person")
        )


def test_alerts_are_the_same_when_flink_is_killed(tmp_path: Path) -> None:
    frames = [one for pair in zip(visits("gate", 600), visits("yard", 600), strict=True) for one in pair]
    calm, disturbed = (killed(tmp_path / str(kills), frames, kills, random.Random(7)) for kills in (0, 2))
    assert disturbed == calm
    assert Counter(state for _, _, state, _ in calm)["new"] == 16


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
        looks = {
            (d.camera, d.detail, look.kind)
            for d in site.messages(topics.DETECTIONS, FrameDetections)
            for box in d.detections
            for look in box.looks
            if look.kind.startswith(KIND)
        }
        assert looks == {("gate", True, "attribute:shade")}
