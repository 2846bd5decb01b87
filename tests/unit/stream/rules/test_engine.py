"""The engine on made-up scenes: zones, lines, who is the same thing, what is said once."""

import msgspec
import pytest

from stream.rules import EngineState
from tests.rule_scenes import (
    SQUARE,
    T0_MS,
    Walker,
    frame_of,
    frames_of,
    rules_of,
    run,
    seconds,
    starts,
    times_of,
    track_of,
)

ENTRY = {"entry": {"kind": "zone_entry", "zone": "yard"}}
YARD = {"yard": SQUARE}  # x 160..480, y 120..360 of 640x480
THROUGH = Walker(((0, 20, 240), (10, 620, 240)))  # 60 px/s: in from 2.4 s to 7.6 s

BRIEFLY = Walker(((0, 150, 240), (2, 150, 240), (2.1, 170, 240), (2.2, 150, 240), (9, 150, 240)))


def kinds(events):
    return [(e.kind, e.ended, round(seconds(e), 1)) for e in events if e.ended or not e.opened_by]


def test_who_walks_through_a_zone_enters_after_the_inertia_and_leaves():
    _, objects, events = run(rules_of(ENTRY, YARD), frames_of([THROUGH], times_of(10, 10)))
    assert kinds(events) == [("zone_entry", False, 2.7), ("zone_entry", True, 7.9)]
    assert events[-1].opened_by == events[0].id != events[-1].id
    changes = [(o.entered, o.left, o.dwell_ms) for frame in objects for o in frame if o.entered or o.left]
    assert changes == [(("",), (), ()), (("yard",), (), ()), ((), ("yard",), (5200,))]


def test_the_trace_says_what_was_wanted_and_what_was_there():
    _, _, events = run(rules_of(ENTRY, YARD), frames_of([THROUGH], times_of(5, 10)))
    (event,) = events
    assert [(c.name, c.wanted, c.got) for c in event.trace] == [
        ("label", "person", "person"),
        ("confidence", ">= 0.00", "0.90"),
        ("zone", "yard", "inside"),
    ]
    assert event.area == SQUARE
    assert event.evidence.detail
    assert event.evidence.captured_at_ms <= event.at_ms
    assert 0 < len(event.trail) <= 20


@pytest.mark.parametrize(
    ("rule", "walker", "times"),
    [
        ({"kind": "zone_entry", "zone": "yard", "labels": ["car"]}, THROUGH, []),  # another label
        ({"kind": "zone_entry", "zone": "yard", "min_confidence": 0.95}, THROUGH, []),  # not sure enough
        ({"kind": "zone_entry", "zone": "yard", "enabled": False}, THROUGH, []),  # switched off
        ({"kind": "zone_entry", "zone": "yard"}, BRIEFLY, []),  # not for as long as the inertia
        ({"kind": "zone_entry", "zone": "yard"}, Walker(((1, 300, 240), (9, 300, 240))), [1.3]),  # appears inside
        ({"kind": "loitering", "zone": "yard", "after_s": 4}, THROUGH, [6.4]),
        ({"kind": "loitering", "zone": "yard", "after_s": 6}, THROUGH, []),  # not long enough
        ({"kind": "line_crossing", "line": "gate"}, THROUGH, [5.1]),
        ({"kind": "line_crossing", "line": "gate", "direction": "out"}, THROUGH, [5.1]),
        ({"kind": "line_crossing", "line": "gate", "direction": "in"}, THROUGH, []),  # the other way
    ],
)  # fmt: skip
def test_events_of_one_walker(rule, walker, times):
    lines = {"gate": ((0.5, 0.1), (0.5, 0.9))}  # downwards: from its left (the greater x) to the right is `in`
    _, _, events = run(rules_of({"r": rule}, YARD, lines), frames_of([walker], times_of(9, 10)))
    assert [round(seconds(e), 1) for e in starts(events)] == times


def test_who_lingers_on_a_line_crosses_it_once():
    wobble = tuple((1 + k * 0.2, 320 + (2 if k % 2 else -2), 240) for k in range(40))
    walker = Walker(((0, 260, 240), *wobble, (10, 380, 240)))
    rules = rules_of({"r": {"kind": "line_crossing", "line": "gate"}}, lines={"gate": ((0.5, 0.1), (0.5, 0.9))})
    _, objects, events = run(rules, frames_of([walker], times_of(10, 10)))
    assert len(events) == 1
    assert events[0].ended  # over at once
    assert [o.crossed for frame in objects for o in frame if o.crossed] == [("gate:out",)]


def test_a_broken_track_is_the_same_thing():
    frames = list(frames_of([THROUGH], times_of(10, 10)))

    def other(track):
        return msgspec.structs.replace(track, track_id=2, first_seen_at_ms=T0_MS + 5400)

    lost = [(frame, []) for frame, _ in frames[40:55]]
    broken = frames[:40] + lost + [(frame, [other(t) for t in tracks]) for frame, tracks in frames[55:]]
    rules = rules_of(ENTRY | {"stay": {"kind": "loitering", "zone": "yard", "after_s": 5}}, YARD)
    _, _, events = run(rules, broken)
    assert kinds(events) == [
        ("zone_entry", False, 2.7), ("loitering", False, 7.4), ("zone_entry", True, 7.9), ("loitering", True, 7.9),
    ]  # fmt: skip


def parked(times, track_id, box=(300.0, 200.0, 380.0, 250.0), since_ms=T0_MS):
    for k, at_ms in enumerate(times):
        track = track_of(track_id, box, at_ms, since_ms=since_ms, label="car")
        yield frame_of(at_ms, [box], index=k, labels=["car"]), [track]


def empty(times):
    for k, at_ms in enumerate(times):
        yield frame_of(at_ms, [], index=k), []


CARS = {
    "entry": {"kind": "zone_entry", "zone": "yard", "labels": ["car"]},
    "stay": {"kind": "loitering", "zone": "yard", "labels": ["car"], "after_s": 5},
}


def test_a_parked_car_alerts_once_over_broken_tracks_and_a_new_session():
    rules, half = rules_of(CARS, YARD), range(0, 20_000, 200)
    hidden, again = range(20_000, 60_000, 200), range(3_600_000, 3_630_000, 200)
    state, _, first = run(rules, parked([T0_MS + ms for ms in half], 1))
    state, _, second = run(rules, empty([T0_MS + ms for ms in hidden]), state)
    state, _, third = run(rules, parked([T0_MS + ms for ms in again], 1, since_ms=T0_MS + 3_600_000), state)
    assert [(e.rule, e.ended) for e in first] == [("entry", False), ("stay", False)]
    assert [(e.rule, e.ended) for e in second] == [("entry", True), ("stay", True)]
    assert third == []


def test_a_car_that_leaves_and_comes_back_is_news():
    box = (300.0, 200.0, 380.0, 250.0)
    rules = rules_of(CARS, YARD)
    drive = Walker(
        ((0, 340, 250), (15, 340, 250), (18, 630, 250), (24, 630, 250), (27, 340, 250), (40, 340, 250)), "car", 50
    )
    assert drive.box(0) == box
    _, _, events = run(rules, frames_of([drive], times_of(40, 10)))
    assert [e.rule for e in starts(events)] == ["entry", "stay", "entry", "stay"]


def test_after_all_tracks_are_gone_the_state_is_at_its_floor():
    rules = rules_of(
        ENTRY | {"line": {"kind": "line_crossing", "line": "gate"}}, YARD, {"gate": ((0.5, 0.1), (0.5, 0.9))}
    )
    state, _, _ = run(rules, frames_of([THROUGH], times_of(10, 10)))
    assert state.things
    state, objects, _ = run(rules, empty([T0_MS + 10_000 + ms for ms in range(0, 4000, 100)]), state)
    assert (state.things, state.spells, state.open) == ((), (), ())
    gone = [o for frame in objects for o in frame]
    assert [(o.left, o.confidence, o.observed) for o in gone] == [(("",), 0.0, False)]


def test_parked_things_are_bounded_and_forgotten_after_a_day():
    rules = rules_of(CARS, YARD)
    state = EngineState()
    for n in range(70):
        box = (8.0 * n, 100.0, 8.0 * n + 6, 106.0)
        since_ms = T0_MS + n * 40_000
        state, _, _ = run(rules, parked([since_ms + ms for ms in range(0, 12_000, 500)], n + 1, box, since_ms), state)
    state, _, _ = run(rules, empty([state.at_ms + ms for ms in range(500, 30_000, 500)]), state)
    assert 0 < len(state.things) <= 64
    state, _, _ = run(rules, empty([state.at_ms + 86_400_001]), state)
    assert state.things == ()


def test_the_state_survives_encoding():
    rules = rules_of(ENTRY | CARS, YARD)
    state, _, _ = run(rules, frames_of([THROUGH, Walker(((0, 300, 300), (9, 300, 300)), "car")], times_of(6, 10)))
    data = msgspec.msgpack.encode(state)
    again = msgspec.msgpack.decode(data, type=EngineState)
    assert again == state
    assert msgspec.msgpack.encode(again) == data


def test_the_last_frame_ends_everything_and_lists_what_leaves():
    state, objects, events = run(rules_of(ENTRY, YARD), frames_of([THROUGH], times_of(5, 10), end=True))
    assert kinds(events) == [("zone_entry", False, 2.7), ("zone_entry", True, 5.0)]
    (last,) = objects[-1]
    assert (last.zones, last.left) == ((), ("yard", ""))
    assert (state.things, state.open) == ((), ())


def test_time_that_the_camera_did_not_show_is_nobodys_dwell():
    box = (300.0, 200.0, 330.0, 280.0)
    rules = rules_of({"stay": {"kind": "loitering", "zone": "yard", "after_s": 30}}, YARD)
    before = [(frame_of(T0_MS + ms, [box]), [track_of(1, box, T0_MS + ms)]) for ms in range(0, 5000, 100)]
    after = [
        (frame_of(T0_MS + ms, [box]), [track_of(2, box, T0_MS + ms, since_ms=T0_MS + 600_000)])
        for ms in range(600_000, 610_000, 100)
    ]
    _, _, events = run(rules, before + after)
    assert events == []


def test_heartbeats_of_a_still_scene_keep_a_thing_where_the_tracker_has_no_track():
    box = (300.0, 200.0, 330.0, 280.0)
    rules = rules_of({"stay": {"kind": "loitering", "zone": "yard", "after_s": 30}}, YARD)
    moving = [(frame_of(T0_MS + ms, [box]), [track_of(1, box, T0_MS + ms)]) for ms in range(0, 5000, 100)]
    still = [(frame_of(T0_MS + ms, [box]), []) for ms in range(10_000, 60_000, 5000)]
    _, _, events = run(rules, moving + still)
    assert [round(seconds(e)) for e in starts(events)] == [30]
