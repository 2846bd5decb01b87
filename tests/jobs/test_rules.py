"""Every kind of rule, from the messages that an agent or the detector writes to an alert, in one start of the jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from console.changes import LEAD_MS
from contracts import topics
from contracts.config import Anomaly, Arming, Camera, CameraDown, Zone, ZoneEntry
from contracts.controls import Change, Control, Removed, SetArming, SetCamera, SetRule, SetZone
from contracts.messages import Alert, FrameDetections, WindowStats
from tests.edge_tools import RunningAgent, write_clip
from tests.jobs import coat_stand
from tests.jobs.world import CONFIG, SiteUnderTest
from tests.rule_scenes import SQUARE, T0_MS, Walker, frame_of, frames_of, times_of

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(300)]

HOUR_MS = 3_600_000
SLACK_S = 2.0
"""On a calm machine it is under a second; others may use this one as well."""
FPS = 10


class Scene(NamedTuple):
    """What a camera sees, under which rule, and the sentences of the alert when it begins and when it is over."""

    rule: dict[str, Any]
    walkers: list[Walker]
    seconds: float
    begins: str
    over: str


def standing(x: float, y: float, seconds: float, **values: Any) -> Walker:
    return Walker(((0, x, y), (seconds, x, y)), **values)


ACROSS = Walker(((0, 20, 240), (6, 620, 240)))
"""From left to right in 6 s: 100 px/s, 1.7 body heights."""

SCENES = {
    "zone_entry": Scene(
        {"zone": "middle"}, [ACROSS], 10, "person entered middle", "person entered middle; over after 3 s"
    ),
    "line_crossing": Scene(
        {"line": "door"}, [ACROSS], 10, "person crossed door (in)", "person crossed door (in)"
    ),
    "loitering": Scene(
        {"zone": "middle", "after_s": 3}, [standing(320, 240, 6)], 12,
        "person in middle for 3 s (limit 3 s)", "person stayed in middle for more than 3 s; over after",
    ),
    "wrong_way": Scene(
        {"zone": "middle", "heading": 180}, [ACROSS], 10,
        "person in middle goes the wrong way (heading", "person in middle went the wrong way (heading",
    ),
    "running": Scene(
        {"speed": 1.2}, [ACROSS], 10, "person running at 1.", "person ran at 1.",
    ),
    "crowd": Scene(
        {"zone": "middle", "count": 3, "after_s": 1}, [standing(240 + 70 * k, 240, 5) for k in range(3)], 14,
        "3 at once in middle (limit 3)", "3 at once in middle (limit 3); over after",
    ),
    "absence": Scene(
        {"zone": "middle", "after_s": 2}, [standing(320, 240, 2), Walker(((9, 320, 240), (12, 320, 240)))], 14,
        "no person in middle for 2 s", "no person in middle for more than 2 s; over after",
    ),
    "left_object": Scene(
        {"labels": ["bag"], "after_s": 3},
        [
            Walker(((0, 112, 180), (3, 112, 240), (4, 112, 240), (11, 600, 240))),
            Walker(((3, 100, 240), (12, 100, 240)), "bag", 20),
        ],
        15, "bag left behind, alone for 3 s (limit 3 s)", "bag left behind, alone for more than 3 s; ended after",
    ),
}  # fmt: skip


def camera(**values: Any) -> dict[str, Any]:
    place = {"zones": {"middle": {"coordinates": SQUARE}}, "lines": {"door": {"coordinates": [[0.5, 0.9], [0.5, 0.1]]}}}
    return {"inputs": [{"url": "nowhere.mp4"}]} | place | values


BUSY = {"detect": {"heartbeat_s": 1800}, "zones": {}}
"""A still scene that sends a frame every half hour: two of them observe an hour."""
AGENTS = ("dark", "gone", "mute")
"""Cameras of a real agent: one is black, one can't be opened, and the third agent never speaks."""

SITE = CONFIG | {
    "analytics": {"window_s": 3600, "lateness_s": 10, "min_windows": 2},
    "cameras": {kind: camera() for kind in SCENES}
    | {name: camera(**BUSY) for name in ("busy", "serviced")}
    | {name: camera() for name in (*AGENTS, coat_stand.CAMERA)},
    "rules": {kind: {"kind": kind, "cameras": [kind], "cooldown_s": 1} | scene.rule for kind, scene in SCENES.items()}
    | {
        "camera_down": {"kind": "camera_down", "cameras": ["gone", "mute"]},
        "tamper": {"kind": "tamper", "cameras": ["dark"], "states": ["black"]},
        "coat": {"kind": "zone_entry", "cameras": [coat_stand.CAMERA], "zone": "middle", "cooldown_s": 1},
    },
}


def seen(kind: str, scene: Scene) -> Iterator[FrameDetections]:
    """The scene's frames as the detector would tell of them."""
    for frame, _ in frames_of(scene.walkers, times_of(scene.seconds, FPS), end=kind == "left_object"):
        yield replace(frame, camera=kind)


def busy_hour(camera: str) -> Iterator[FrameDetections]:
    """A day and an hour in which nobody comes, then twelve people at once, then nobody for three hours."""
    times = [T0_MS + half * HOUR_MS // 2 for half in range(2 * 25 + 1)]
    crowd = [standing(50 + 100 * (k % 6), 150 + 200 * (k // 6), 4) for k in range(12)]
    index = 0
    for at_ms in times:
        yield replace(frame_of(at_ms, [], index=index), camera=camera)
        index += 1
    start_ms = times[-1] + 60_000
    for frame, _ in frames_of(crowd, times_of(4, FPS)):
        yield replace(frame, camera=camera, index=index, captured_at_ms=frame.captured_at_ms - T0_MS + start_ms)
        index += 1
    for half in range(1, 8):
        yield replace(frame_of(times[-1] + half * HOUR_MS // 2, [], index=index), camera=camera)
        index += 1


def change(name: str, change: Change) -> Control:
    return Control(site="site", origin="console", version=1, effective_from_ms=T0_MS, change=change)


def alerts_of(site: SiteUnderTest) -> dict[str, list[Alert]]:
    """The revisions by camera, in order."""
    found: dict[str, list[Alert]] = {}
    for alert in sorted(site.messages(topics.ALERTS, Alert), key=lambda one: (one.started_at_ms, one.revision)):
        found.setdefault(alert.camera, []).append(alert)
    return found


def ended(site: SiteUnderTest) -> set[str]:
    """The cameras whose last alert is over."""
    return {camera for camera, alerts in alerts_of(site).items() if alerts[-1].state == "end"}


ADDED = (
    SetCamera(camera="annex", spec=Camera(inputs=())),
    SetZone(camera="annex", name="middle", zone=Zone(coordinates=SQUARE)),
    SetRule(name="annex_entry", rule=ZoneEntry(cameras=("annex",), zone="middle", cooldown_s=1)),
    SetRule(name="annex_down", rule=CameraDown(cameras=("annex",), silent_s=2)),
)
"""A camera that the file doesn't name, its zone and its rules."""


def open_rules(alerts: list[Alert]) -> set[str]:
    """The rules whose alerts have begun and not ended."""
    return {a.rule for a in alerts if a.state == "new"} - {a.rule for a in alerts if a.state == "end"}


def until_alert_s(site: SiteUnderTest) -> float:
    """How long after the console's word on a new zone the first alert of it is on the topic, someone standing there."""
    where = standing(320, 240, 60)
    site.control(change("porch", SetCamera(camera="porch", spec=Camera(inputs=()))))
    told_s, index = 0.0, 0
    zone = SetZone(camera="porch", name="step", zone=Zone(coordinates=SQUARE, inertia_s=0))
    rule = SetRule(name="step", rule=ZoneEntry(cameras=("porch",), zone="step"))
    began_s = time.monotonic()
    while "porch" not in alerts_of(site):
        now_ms = time.time_ns() // 1_000_000
        seen_now, _ = next(iter(frames_of([where], [T0_MS + 100 * index])))
        site.send_detections([replace(seen_now, camera="porch", index=index, captured_at_ms=now_ms)])
        index += 1
        if not told_s and time.monotonic() - began_s > 2:
            told_s = time.monotonic()
            for one in (zone, rule):
                site.control(replace(change("porch", one), effective_from_ms=now_ms + LEAD_MS))
        assert time.monotonic() - began_s < 60, site.log()
        time.sleep(0.1)
    return time.monotonic() - told_s


def agent_config(folder: Path) -> Path:
    """The agent of two of the cameras: a black picture, and a file that is not there."""
    dark = write_clip(folder / "dark.avi", 20, picture=lambda _: np.zeros((240, 320, 3), np.uint8))
    cameras = {"dark": {"inputs": [{"url": str(dark), "loop": True}]}, "gone": {"inputs": [{"url": "/dev/video93"}]}}
    path = folder / "agent.yaml"
    path.write_text(json.dumps({"site": {"name": "site"}, "edge": {"metrics_port": 0}, "cameras": cameras}))
    return path


def test_every_kind_of_rule_becomes_an_alert(tmp_path: Path) -> None:
    with SiteUnderTest(tmp_path, SITE) as site:
        # Rules and maintenance that analytics hears of while it runs.
        site.control(change("unusual", SetRule(name="unusual", rule=Anomaly(cameras=("busy", "serviced")))))
        site.control(change("serviced", SetArming(camera="serviced", arming=Arming(maintenance=True))))
        for one in ADDED:
            site.control(change("annex", one))
        for kind, scene in SCENES.items():
            site.send_detections(seen(kind, scene))
        with RunningAgent(agent_config(tmp_path), site.system.bootstrap, tmp_path / "edge"):
            site.wait("an alert of each scene", lambda: {*SCENES} <= ended(site), 150)
            for name in ("serviced", "busy"):
                site.send_detections(busy_hour(name))
            site.wait("the agent's cameras", lambda: {*AGENTS} <= {*alerts_of(site)}, 60)
            site.wait("the busy hour's end", lambda: "busy" in ended(site), 60)
            # By now the jobs know of it, and miss its agent.
            site.wait("the added camera is missed", lambda: "annex" in alerts_of(site), 60)
            site.send_detections(replace(one, camera="annex") for one in seen("zone_entry", SCENES["zone_entry"]))
            site.wait("its alerts", lambda: {a.rule for a in alerts_of(site)["annex"]} >= {"annex_down", "annex_entry"})
            site.control(replace(change("annex", Removed(kind="camera", camera="annex")), version=2))
            waited_s = until_alert_s(site)
            print(f"\na new zone's first alert {waited_s:.2f} s after the console's word")
            assert waited_s < 1.0 + SLACK_S
            site.wait("their end", lambda: open_rules(alerts_of(site)["annex"]) == set(), 30)
            told = coat_stand.answered(site, tmp_path)
            print(f"an alert that was answered false is over {told.ended_after_s:.2f} s later")
            assert told.ended_after_s < 1.0 + SLACK_S
        found = alerts_of(site)
        windows = site.messages(topics.ANALYTICS, WindowStats)

    for kind, scene in SCENES.items():
        first, *_, last = found[kind]
        assert (first.state, first.kind, last.state) == ("new", kind, "end"), kind
        assert first.why.startswith(scene.begins)
        assert last.why.startswith(scene.over)
        assert first.evidence is not None
    assert [(a.kind, a.state, a.why) for a in found["dark"]] == [("tamper", "new", "the picture is black")]
    assert [(a.kind, a.state) for a in found["gone"]] == [("camera_down", "new")]
    assert "can't be opened" in found["gone"][0].why
    assert [(a.kind, a.state) for a in found["mute"]] == [("camera_down", "new")]
    assert found["mute"][0].why.startswith("the agent has been silent for")
    assert [(a.kind, a.rule, a.state) for a in found["busy"]] == [("anomaly", "unusual", s) for s in ("new", "end")]
    assert found["busy"][0].why.startswith("unusual: entered 12.00 (+5.")
    assert found["busy"][1].why.endswith("; as usual again after 1 h")
    assert {w.entered for w in windows if (w.camera, w.label) == ("serviced", "person")} == {0, 12}
    assert "serviced" not in found

    assert [(a.state, a.end_reason) for a in told.alerts if a.state != "update"] == [
        ("new", ""), ("end", "silenced"), ("new", ""), ("end", "over"),
    ]  # fmt: skip
    assert told.alerts[-1].evidence.xyxy[0] > coat_stand.X, "the second is about somebody beside it"
    silent = [event for event in told.events if event.suppressed_by and not event.opened_by]
    assert len(silent) == 3, "what came again is an event each time"
