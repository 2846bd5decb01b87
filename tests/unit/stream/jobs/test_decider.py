"""One camera's lane without the engine: places, replays, controls by frame time, cameras that nobody knows."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from contracts.config import Camera, Config, Objects, Period, ZoneEntry
from contracts.config_file import parse
from contracts.controls import Change, Control, Removed, SetCamera, SetRule, SetSuppressions, SetZone
from contracts.edge_messages import EdgeStatus
from contracts.errors import ContractError
from contracts.messages import Detection, FrameDetections, FrameRef, Look
from contracts.suppressions import Suppression
from stream.jobs.decider import Decider, LaneState
from stream.rules import Rulebook
from stream.tracking.attributes import Believed, VoteConfig

T0_MS = 1_767_225_600_000
CONFIG = """
site: {name: site}
cameras:
  gate:
    inputs: [{url: gate.mp4}]
    zones: {yard: {coordinates: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], inertia_s: 0.2}}
    objects: {track: [person], filters: {person: {min_area: 0.01}}}
rules:
  entry: {kind: zone_entry, zone: yard, cooldown_s: 1}
  down: {kind: camera_down}
"""


def config() -> Config:
    return parse(CONFIG)


def detections(index: int, *boxes: tuple[float, float, float, float], **changes: object) -> FrameDetections:
    """Frame `index` at 10/s of a 640x480 camera, with a person of confidence .9 in each box."""
    values = {
        "site": "site",
        "camera": "gate",
        "lane": "live",
        "session": 1,
        "index": index,
        "captured_at_ms": T0_MS + 100 * index,
        "detected_at_ms": 0,
        "width": 640,
        "height": 480,
        "detail": False,
        "motion": 0.1,
        "ref": FrameRef("frames.site", 0, index),
        "model": "m@1",
        "detections": tuple(Detection(xyxy=box, confidence=0.9, label="person") for box in boxes),
    }
    return FrameDetections(**(values | changes))


def walk(count: int) -> list[FrameDetections]:
    """Somebody walks from left to right through the whole picture."""
    return [detections(i, (5.0 * i, 200.0, 5.0 * i + 60, 380.0), last=i == count - 1) for i in range(count)]


def run(decider: Decider, frames: list[FrameDetections], controls: tuple[Control, ...] = ()) -> tuple:
    """Every frame in turn, with the state through its bytes in between, as Flink keeps it."""
    state, tracks, alerts = LaneState(), [], []
    for frame in frames:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=LaneState)
        state, decision = decider.frame(state, frame, controls)
        tracks.append(decision.tracks)
        alerts.extend(decision.alerts)
    return state, tracks, alerts


def test_a_walk_is_one_track_and_one_alert() -> None:
    _, tracks, alerts = run(Decider(config()), walk(110))
    assert {t.track_id for frame in tracks for t in frame.tracks} == {1}
    assert [alert.state for alert in alerts if alert.state != "update"] == ["new", "end"]
    assert {alert.id for alert in alerts} == {alerts[0].id}
    assert tracks[0].interval_ms == 0
    assert {frame.interval_ms for frame in tracks[1:]} == {100}


def test_a_track_that_is_over_is_given_once_with_all_that_was_seen_of_it() -> None:
    empty = [detections(40 + i) for i in range(60)]
    state, ended = LaneState(), []
    for frame in (*walk(41)[:40], *empty):
        state, decision = Decider(config()).frame(state, frame)
        ended += decision.ended
    (track,) = ended
    assert (track.track_id, track.label, track.hits) == (1, "person", 40)


def test_what_comes_again_changes_nothing() -> None:
    frames = walk(60)
    decider = Decider(config())
    _, _, once = run(decider, frames)
    # Flink restarts at frame 20, and again at 45: what was sent comes again.
    state, tracks, twice = run(decider, frames[:40] + frames[20:50] + frames[45:])
    assert twice == once
    assert [frame is None for frame in tracks].count(True) == 20 + 5
    assert (state.session, state.index) == (1, 59)


def test_what_is_read_after_newer_frames_of_its_camera_is_passed_over() -> None:
    """As it is where a camera leaves a partition that the jobs are behind with: never out of order, never twice."""
    frames, decider = walk(60), Decider(config())
    _, tracks, found = run(decider, [*frames[:20], *frames[30:], *frames[20:30]])
    assert [frame is None for frame in tracks].count(True) == 10
    assert found == run(decider, [*frames[:20], *frames[30:]])[2]


def test_a_later_session_begins_at_zero_again() -> None:
    decider = Decider(config())
    state, _, _ = run(decider, walk(10)[:9])
    _, decision = decider.frame(state, detections(0, session=2, captured_at_ms=T0_MS + 60_000))
    assert decision.tracks is not None


@pytest.mark.parametrize(
    ("effective_ms", "severities"),
    [
        (T0_MS - 1, ["critical"]),  # in force before the first frame
        (T0_MS + 60_000, ["medium"]),  # not yet
        (T0_MS + 1_500, ["medium", "critical"]),  # while the alert is open: it ends, and the new rule begins
    ],
)
def test_a_control_applies_by_frame_time(effective_ms: int, severities: list[str]) -> None:
    rule = ZoneEntry(zone="yard", severity="critical", cooldown_s=1)
    change = Control(
        site="site",
        origin="console",
        version=2,
        effective_from_ms=effective_ms,
        change=SetRule(name="entry", rule=rule),
    )
    _, _, alerts = run(Decider(config()), walk(50), (change,))
    assert [alert.severity for alert in alerts if alert.state == "new"] == severities


def test_a_removed_rule_ends_its_alert() -> None:
    gone = Removed(kind="rule", name="entry")
    change = Control(site="site", origin="console", version=2, effective_from_ms=T0_MS + 1_500, change=gone)
    _, _, alerts = run(Decider(config()), walk(50), (change,))
    assert [alert.state for alert in alerts if alert.state != "update"] == ["new", "end"]
    assert alerts[-1].at_ms <= T0_MS + 1_600
    assert alerts[-1].end_reason


def test_small_boxes_and_other_labels_are_not_followed() -> None:
    small = [detections(i, (100.0, 100.0, 120.0, 140.0)) for i in range(20)]
    car = (Detection(xyxy=(50.0, 200.0, 150.0, 400.0), confidence=0.9, label="car"),)
    cars = [detections(i, detections=car) for i in range(20)]
    for frames in (small, cars):
        _, tracks, alerts = run(Decider(config()), frames)
        assert not alerts
        assert all(frame.tracks == () for frame in tracks)


def test_embeddings_of_one_size_reach_the_tracker_and_others_do_not() -> None:
    vector = np.ones(64, "<f2").tobytes()
    places = ((50.0, 200.0, 150.0, 400.0), (350.0, 200.0, 450.0, 400.0))
    for embeddings in ((vector, b""), (vector, vector[:64]), (b"", b"")):
        seen = tuple(
            Detection(xyxy=place, confidence=0.9, label="person", embedding=one)
            for place, one in zip(places, embeddings, strict=True)
        )
        state, tracks, _ = run(Decider(config()), [detections(i, detections=seen) for i in range(5)])
        assert tracks[-1].tracks
        assert any(track.embedding for track in state.tracker.tracks) == (embeddings == (vector, b""))


def control(at_ms: int, change: Change, version: int = 1) -> Control:
    return Control(site="site", origin="console", version=version, effective_from_ms=at_ms, change=change)


ANNEX = (
    control(T0_MS + 500, SetCamera(camera="annex", spec=Camera(inputs=(), objects=Objects(track=("person",))))),
    control(T0_MS + 600, SetZone(camera="annex", name="yard", zone=config().cameras["gate"].zones["yard"])),
)


def test_a_camera_of_the_controls_is_followed_and_watched_like_one_of_the_file() -> None:
    decider = Decider(config())
    # The first frames are from before its control is in force.
    state, tracks, alerts = run(decider, [msgspec.structs.replace(f, camera="annex") for f in walk(110)], ANNEX)
    assert all(frame is not None for frame in tracks)
    assert [(a.camera, a.state) for a in alerts if a.state != "update"] == [("annex", "new"), ("annex", "end")]
    state, _ = decider.silence(state, "annex", T0_MS + 60_000, ANNEX)
    _, late = decider.silence(state, "annex", T0_MS + 90_000, ANNEX)
    assert [(a.rule, a.state) for a in late.alerts] == [("down", "new")]


@pytest.mark.parametrize(
    "change",
    [Removed(kind="camera", camera="gate"), SetCamera(camera="gate", spec=Camera(inputs=(), enabled=False))],
    ids=["removed", "switched off"],
)
def test_what_is_open_of_a_camera_that_is_no_more_ends_with_the_next_tick(change: Change) -> None:
    decider = Decider(config())
    state, _, alerts = run(decider, walk(110)[:20])
    state, _ = decider.silence(state, "gate", T0_MS + 1)
    state, late = decider.silence(state, "gate", T0_MS + 30_000)
    assert [a.state for a in (*alerts, *late.alerts) if a.state != "update"] == ["new", "new"]
    gone = (control(T0_MS + 31_000, change),)
    assert [decider.is_on("gate", at_ms, gone) for at_ms in (T0_MS + 30_000, T0_MS + 31_000)] == [True, False]
    _, end = decider.silence(state, "gate", T0_MS + 32_000, gone)
    assert {(a.rule, a.state, a.end_reason) for a in end.alerts} == {
        ("entry", "end", "rule removed"), ("down", "end", "rule removed"),
    }  # fmt: skip


def test_a_changed_camera_of_the_file_keeps_its_zones() -> None:
    spec = Camera(inputs=(), objects=Objects(track=("car",)))
    rulebook = Rulebook(config())
    rules = rulebook.at("gate", T0_MS, (control(T0_MS, SetCamera(camera="gate", spec=spec)),))
    assert (rules.spec.objects.track, set(rules.spec.zones)) == (("car",), {"yard"})
    assert rulebook.cameras(ANNEX) == ("gate", "annex")


def test_an_unknown_camera_is_a_fault_of_the_message() -> None:
    with pytest.raises(ContractError, match="no camera 'cellar'"):
        Decider(config()).frame(LaneState(), detections(0, camera="cellar"))


def test_a_silent_agent_is_told_of_and_its_return_ends_it() -> None:
    decider = Decider(config())
    up = EdgeStatus(site="site", camera="gate", agent="a", session=1, at_ms=T0_MS, state="up")
    state, heard = decider.status(LaneState(), up)
    state, early = decider.silence(state, "gate", T0_MS + 5_000)
    state, late = decider.silence(state, "gate", T0_MS + 12_000)
    state, back = decider.status(state, msgspec.structs.replace(up, at_ms=T0_MS + 20_000))
    # The cooldown of 30 s holds the incident open: a flapping camera is one alert.
    state, steady = decider.status(state, msgspec.structs.replace(up, at_ms=T0_MS + 51_000))
    told = [[(alert.rule, alert.state) for alert in one.alerts] for one in (heard, early, late, back, steady)]
    assert told == [[], [], [("down", "new")], [], [("down", "end")]]


@pytest.mark.parametrize(
    ("thresholds", "min_score", "tracks"),
    [
        ({}, 0.0, 1),  # the tracker's own 0.55
        ({"person": 0.7}, 0.0, 0),  # the model is calibrated to more
        ({"car": 0.7}, 0.0, 1),  # for another label
        ({"person": 0.7}, 0.5, 1),  # the config says otherwise
        ({}, 0.65, 0),
    ],
)
def test_boxes_count_from_what_the_config_says_or_the_model_was_calibrated_to(
    thresholds: dict[str, float], min_score: float, tracks: int
) -> None:
    seen = (Detection(xyxy=(100.0, 200.0, 200.0, 400.0), confidence=0.6, label="person"),)
    frames = [detections(i, detections=seen, thresholds=thresholds) for i in range(10)]
    site = parse(CONFIG.replace("{min_area: 0.01}", f"{{min_area: 0.01, min_score: {min_score}}}"))
    _, found, _ = run(Decider(site), frames)
    assert len(found[-1].tracks) == tracks


def test_a_track_has_the_colours_of_the_box_that_it_took() -> None:
    red = Look(kind="colour_upper", model="colours@1", quality=0.9, values={"red": 0.9})
    decider, state = Decider(config()), LaneState()
    for index in range(12):
        box = Detection(
            xyxy=(100.0, 200.0, 160.0, 380.0), confidence=0.9, label="person", looks=(red,) if index % 5 == 0 else ()
        )
        state, decision = decider.frame(state, detections(index, detections=(box,)))
    assert decision.tracks is not None
    assert [one.colours for one in decision.tracks.tracks] == [()]
    state, decision = decider.frame(state, detections(12, detections=(msgspec.structs.replace(box, looks=(red,)),)))
    assert decision.tracks is not None
    assert [one.colours for one in decision.tracks.tracks] == [("red", "")]


def test_what_was_answered_false_is_silenced_by_place_and_look() -> None:
    """The coat stand is no alert any more; somebody beside it, and what the next model sees, is."""
    box, beside = (60.0, 200.0, 130.0, 380.0), (220.0, 200.0, 290.0, 380.0)
    silenced = Suppression(
        id="answer",
        alert="alert",
        rule="entry",
        label="person",
        xyxy=(60 / 640, 200 / 480, 130 / 640, 380 / 480),
        model="m@1",
        hours=Period(),
        made_at_ms=T0_MS - 1,
        until_ms=T0_MS + 60_000,
        embedding=b"\x00\x3c" * 4,
    )
    change = SetSuppressions(camera="gate", suppressions=(silenced,))
    control = Control(site="site", origin="console", version=1, effective_from_ms=T0_MS, change=change)
    for at, model, alerts_wanted, silent in (
        (box, "m@1", 0, 1),
        (beside, "m@1", 1, 0),
        (box, "m@2", 1, 0),
    ):
        seen = [Detection(xyxy=at, confidence=0.9, label="person", embedding=b"\x00\x3c" * 4)]
        frames = [detections(i, detections=tuple(seen), model=model) for i in range(20)]
        decider, state, alerts, count = Decider(config()), LaneState(), [], 0
        for frame in frames:
            state, decision = decider.frame(state, frame, (control,))
            alerts += decision.alerts
            count += decision.silenced
        assert (len(alerts), count) == (alerts_wanted, silent), (at, model)


def classified(frame: FrameDetections, red: float) -> FrameDetections:
    """The frame with a classifier's look at its boxes, as full-size frames have it."""
    look = Look(kind="attribute:shade", model="shade@1", quality=1.0, values={"red": red, "blue": 1 - red})
    boxes = tuple(msgspec.structs.replace(box, looks=(look,)) for box in frame.detections)
    return msgspec.structs.replace(frame, detections=boxes) if frame.index % 5 == 0 else frame


@pytest.mark.parametrize(("red", "alerts"), [(0.97, 1), (0.6, 0), (0.05, 0)], ids=["red", "not sure", "blue"])
def test_a_rule_asks_for_what_a_classifier_says(red: float, alerts: int) -> None:
    text = CONFIG.replace("cooldown_s: 1}", "cooldown_s: 1, attributes: {shade: red}}")
    text += "classifiers: {shade: {manifest: shade.json}}\n"
    decider = Decider(parse(text), votes=VoteConfig({"shade": Believed()}))
    _, tracks, told = run(decider, [classified(frame, red) for frame in walk(110)])
    new = [alert for alert in told if alert.state == "new"]
    assert len(new) == alerts
    if new:
        assert new[0].why == "person (shade: red) entered yard"
        assert [(one.name, one.value, one.model) for one in new[0].attributes] == [("shade", "red", "shade@1")]
        assert ("shade", "red") in [(c.name, c.wanted) for c in new[0].trace]
    last = [one for frame in tracks for track in frame.tracks for one in track.attributes][-1]
    assert (last.name, last.looks, last.value) == ("shade", 22, {0.97: "red", 0.6: "", 0.05: "blue"}[red])


def unsure(frames: list[FrameDetections]) -> list[FrameDetections]:
    """The same of a detector that is .2 sure."""
    dim = [tuple(msgspec.structs.replace(box, confidence=0.2) for box in frame.detections) for frame in frames]
    return [msgspec.structs.replace(frame, detections=boxes) for frame, boxes in zip(frames, dim, strict=True)]


@pytest.mark.parametrize(
    ("ask_from", "frames", "kinds"),
    [
        (0.0, unsure(walk(80)), []),
        (0.15, unsure(walk(80)), ["question"]),
        (0.15, walk(80), ["zone_entry"]),
    ],
)
def test_a_camera_asks_about_what_no_rule_hears_of(ask_from: float, frames: list[FrameDetections], kinds: list) -> None:
    asking = parse(CONFIG.replace("gate.mp4}]", f"gate.mp4}}]\n    learning: {{ask_from: {ask_from}}}"))
    _, tracks, alerts = run(Decider(asking), frames)
    assert [alert.kind for alert in alerts if alert.state == "new"] == kinds
    _, without, silent = run(Decider(config()), frames)
    assert tracks == without
    told = [alert for alert in alerts if alert.kind != "question"]
    assert [(one.id, one.state) for one in told] == [(one.id, one.state) for one in silent]
