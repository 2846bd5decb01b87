"""A preview over kept tracks says what the rule did when they were made, and what another one would have done."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from archive.preview.again import NothingToPreview, preview, thinned
from contracts.config import CameraDown, Config, Crowd, Period, ZoneEntry
from contracts.config_file import parse
from contracts.messages import Alert, FrameTracks
from contracts.suppressions import Suppression
from stream.jobs.decider import Decider, LaneState
from tests.rule_scenes import Walker, frames_of, times_of

CONFIG = """
cameras:
  gate:
    inputs: [{url: gate.mp4}]
    zones: {middle: {coordinates: [[0.3, 0], [0.6, 0], [0.6, 1], [0.3, 1]]}}
    lines: {door: {coordinates: [[0.5, 0.9], [0.5, 0.1]]}}
    maintenance: true
site: {arming: {armed: false}}
rules: {}
"""
RULES: dict[str, dict[str, Any]] = {
    "zone_entry": {"zone": "middle", "cooldown_s": 1},
    "line_crossing": {"line": "door", "cooldown_s": 1},
    "loitering": {"zone": "middle", "after_s": 2, "cooldown_s": 1},
    "running": {"speed": 1.2, "cooldown_s": 1},
    "crowd": {"zone": "middle", "count": 2, "after_s": 1, "cooldown_s": 1},
    "absence": {"zone": "middle", "after_s": 2, "cooldown_s": 1},
}
WALKERS = [
    Walker(((0, 20, 240), (6, 620, 240))),
    Walker(((4, 620, 300), (12, 20, 300))),
    Walker(((14, 300, 400), (20, 300, 400))),
    Walker(((16, 200, 400), (17, 250, 400), (20, 250, 400))),
]


def site(**rules: dict[str, Any]) -> Config:
    armed = parse(CONFIG.replace("armed: false", "armed: true").replace("maintenance: true", "maintenance: false"))
    made = parse(CONFIG + "\n").rules | {
        name: parse(CONFIG.replace("rules: {}", f"rules: {{x: {spec}}}")).rules["x"] for name, spec in rules.items()
    }
    return replace(armed, rules=made)


def watched(config: Config, seconds: float = 30) -> tuple[list[FrameTracks], list[Alert]]:
    """What the jobs made of the scene: the tracks that are kept, and the alerts."""
    decider, state = Decider(config), LaneState()
    tracks: list[FrameTracks] = []
    alerts: list[Alert] = []
    for index, (frame, _) in enumerate(frames_of(WALKERS, times_of(seconds, 10))):
        state, decision = decider.frame(state, replace(frame, camera="gate", index=index))
        assert decision.tracks is not None
        tracks.append(decision.tracks)
        alerts += [alert for alert in decision.alerts if alert.state == "new"]
    return tracks, alerts


@pytest.mark.parametrize("kind", RULES)
def test_the_rule_in_force_would_have_fired_when_it_did(kind: str) -> None:
    config = site(**{kind: {"kind": kind} | RULES[kind]})
    tracks, alerts = watched(config)
    found = preview(parse(CONFIG), "gate", config.rules, tracks)[kind]
    assert alerts
    assert [(one.alert, one.at_ms, one.why) for one in found.moments] == [
        (one.id, one.started_at_ms, one.why) for one in alerts
    ]
    assert found.moments[0].ref is not None


def test_two_rules_are_compared_in_one_run_and_repeats_change_nothing() -> None:
    tracks, _ = watched(site())
    rules = {"now": ZoneEntry(zone="middle", cooldown_s=1), "new": ZoneEntry(zone="middle", cooldown_s=60)}
    found = preview(parse(CONFIG), "gate", rules, tracks[:80] + tracks[40:])
    assert (found["now"].count, found["new"].count) == (3, 1)


def test_what_an_answer_silences_alerts_in_no_preview_until_it_walks_away() -> None:
    walking, _ = watched(site())
    entered = next(one for one in walking if any("middle" in thing.entered for thing in one.tracks))
    first_ms, (thing,) = entered.captured_at_ms, [one for one in entered.tracks if "middle" in one.entered]
    standing = [
        replace(entered, index=number, captured_at_ms=first_ms + 100 * number, tracks=(thing,)) for number in range(40)
    ]
    x1, y1, x2, y2 = thing.xyxy
    answered = Suppression(
        id="answer-1",
        alert="a",
        rule="now",
        label=thing.label,
        xyxy=(x1 / entered.width, y1 / entered.height, x2 / entered.width, y2 / entered.height),
        model=entered.model,
        hours=Period(),
        made_at_ms=0,
        until_ms=2 * first_ms,
        embedding=b"\x00\x3c",
    )

    def tried(tracks: list[FrameTracks], *suppressions: Suppression) -> tuple[int, int]:
        rules = {"now": ZoneEntry(zone="middle", cooldown_s=1)}
        found = preview(parse(CONFIG), "gate", rules, tracks, suppressions)["now"]
        return found.count, found.silenced

    assert tried(standing) == (1, 0)
    assert tried(standing, answered) == (0, 1)
    assert tried(standing, replace(answered, rule="other")) == (1, 0)
    assert tried(walking, answered) == tried(walking)


def test_a_rule_that_is_off_or_elsewhere_is_tried_all_the_same_where_it_belongs() -> None:
    tracks, _ = watched(site())
    rule = ZoneEntry(zone="middle", enabled=False)
    assert preview(parse(CONFIG), "gate", {"r": rule}, tracks)["r"].count > 0
    assert preview(parse(CONFIG), "gate", {"r": replace(rule, cameras=("hall",))}, tracks)["r"].count == 0
    assert preview(parse(CONFIG), "gate", {"r": replace(rule, zone="none")}, tracks)["r"].count == 0


def test_thinned_frames_still_show_who_came() -> None:
    tracks, alerts = watched(site(zone_entry={"kind": "zone_entry"} | RULES["zone_entry"]))
    few = thinned(tracks, 80)
    assert 60 <= sum(bool(frame.tracks) for frame in few) <= 90
    rule = {"r": ZoneEntry(zone="middle", cooldown_s=1)}
    assert preview(parse(CONFIG), "gate", rule, few)["r"].count == len(alerts)
    assert thinned(tracks, 10_000) == tracks


def test_rules_about_the_camera_itself_have_no_preview() -> None:
    with pytest.raises(NothingToPreview, match="camera_down fires of other things"):
        preview(parse(CONFIG), "gate", {"r": CameraDown()}, [])
    assert preview(parse(CONFIG), "gate", {"r": Crowd(zone="middle", count=9)}, [])["r"].count == 0
