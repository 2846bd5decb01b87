"""The alert policy: one incident is one alert, whatever joins it, and everything about it can be read off it."""

import msgspec
import numpy as np
import pytest

from contracts.codec import encode
from contracts.messages import Condition, Event
from stream.rules import AlertPolicy, PolicyState
from tests.rule_scenes import (
    SQUARE,
    T0_MS,
    Walker,
    frame_of,
    frames_of,
    rules_of,
    run_alerts,
    times_of,
)
from tests.rule_worlds import end_of, walkers_of

ENTRY = {"entry": {"kind": "zone_entry", "zone": "yard", "cooldown_s": 5, "instructions": "Call the guard."}}
STAY = {"stay": {"kind": "loitering", "zone": "yard", "after_s": 3, "severity": "high", "cooldown_s": 5}}
YARD = {"yard": SQUARE}
THROUGH = Walker(((0, 20, 240), (10, 620, 240)))
SECOND = Walker(((4, 20, 300), (14, 620, 300)))
LATER = Walker(((20, 20, 300), (30, 620, 300)))


def shape(alerts):
    return [(a.state, round((a.at_ms - T0_MS) / 1000, 1), a.track_ids) for a in alerts]


def alerts_of(rules, walkers, length_s=30, **frames):
    return run_alerts(rules, frames_of(walkers, times_of(length_s, 10), **frames))[1]


def test_one_incident_is_one_alert():
    alerts = alerts_of(rules_of(ENTRY, YARD), [THROUGH])
    assert shape(alerts) == [("new", 2.7, (1,)), ("end", 12.9, (1,))]
    new, end = alerts
    assert new.id == end.id
    assert (new.revision, end.revision) == (1, 2)
    assert (end.ended_at_ms - T0_MS, end.end_reason) == (7900, "over")  # told after the cooldown
    assert (new.severity, new.instructions, new.model) == ("medium", "Call the guard.", "m@1")
    assert new.config_version == rules_of(ENTRY, YARD).config_version
    assert new.why == "person entered yard"
    assert new.area == SQUARE
    assert new.evidence is not None
    assert not new.late


def test_others_join_the_incident_while_it_lasts_and_within_the_cooldown():
    alerts = alerts_of(rules_of(ENTRY, YARD), [THROUGH, SECOND])
    assert shape(alerts)[0] == ("new", 2.7, (1,))
    assert shape(alerts)[-1] == ("end", 16.9, (1, 2))
    assert len({a.id for a in alerts}) == 1
    assert [a.revision for a in alerts] == list(range(1, len(alerts) + 1))


def test_after_the_cooldown_it_is_another_incident():
    alerts = alerts_of(rules_of(ENTRY, YARD), [THROUGH, LATER], 36)
    assert [a.state for a in alerts if a.state != "update"] == ["new", "end", "new", "end"]
    assert len({a.id for a in alerts}) == 2


def test_the_sentence_has_the_figures_and_the_trace_their_conditions():
    alerts = alerts_of(rules_of(STAY, YARD), [THROUGH])
    assert alerts[0].why == "person in yard for 3 s (limit 3 s)"
    assert Condition("dwell_s", ">= 3", "3.0") in alerts[0].trace


def test_updates_are_rare_and_only_for_better_evidence():
    nearer = Walker(((0, 20, 240), (3, 300, 240), (28, 340, 250)))
    frames = [
        (msgspec.structs.replace(frame, detail=i > 100 and i % 5 == 0), tracks)
        for i, (frame, tracks) in enumerate(frames_of([nearer], times_of(28, 10)))
    ]
    _, alerts = run_alerts(rules_of(ENTRY, YARD), frames)
    assert [a.state for a in alerts] == ["new", "update"]
    assert not alerts[0].evidence.detail
    assert alerts[1].evidence.detail


def test_the_last_frame_ends_every_alert():
    alerts = alerts_of(rules_of(ENTRY, YARD), [THROUGH], 5, end=True)
    assert [(a.state, a.end_reason) for a in alerts] == [("new", ""), ("end", "source ended")]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rules": {"entry": ENTRY["entry"] | {"severity": "low"}}, "zones": YARD}, "rule changed"),
        ({"rules": ENTRY, "zones": {"yard": SQUARE[:3]}}, "rule changed"),  # the zone is part of the meaning
        ({"rules": STAY, "zones": YARD}, "rule removed"),
        ({"rules": ENTRY, "zones": YARD, "camera": {"maintenance": True}}, "maintenance"),
        ({"rules": ENTRY, "zones": YARD, "site": {"arming": {"armed": False}}}, "disarmed"),
        ({"rules": ENTRY, "zones": YARD, "site": {"arming": {"disarmed_zones": ["yard"]}}}, "yard is disarmed"),
    ],
)  # fmt: skip
def test_a_change_ends_the_alert_with_its_reason(changed, reason):
    frames = list(frames_of([THROUGH], times_of(9, 10)))
    states, before = run_alerts(rules_of(ENTRY, YARD), frames[:40])
    _, after = run_alerts(rules_of(**changed), frames[40:], states)
    assert [a.state for a in before] == ["new"]
    assert (after[0].state, after[0].id, after[0].end_reason) == ("end", before[0].id, reason)
    assert all(a.id != before[0].id for a in after[1:])


def test_who_is_inside_when_the_zone_is_armed_alerts_but_what_stands_there_does_not():
    still = Walker(((0, 300, 240), (30, 300, 240)))
    car = Walker(((0, 250, 300), (30, 250, 300)), "car")
    rule = {"entry": {"kind": "zone_entry", "zone": "yard", "labels": ["person", "car"]}}
    frames = list(frames_of([still, car], times_of(20, 10)))
    states, before = run_alerts(rules_of(rule, YARD, site={"arming": {"armed": False}}), frames[:100])
    _, after = run_alerts(rules_of(rule, YARD), frames[100:], states)
    assert before == []
    assert shape(after) == [("new", 10.0, (1,))]


def test_maintenance_silences_even_what_is_always_armed():
    rule = {"entry": {"kind": "zone_entry", "zone": "yard", "always_armed": True}}
    off = {"site": {"arming": {"armed": False}}}
    assert [a.state for a in alerts_of(rules_of(rule, YARD, **off), [THROUGH], 5)] == ["new"]
    assert alerts_of(rules_of(rule, YARD, camera={"maintenance": True}), [THROUGH], 5) == []


def test_things_left_behind_are_incidents_of_their_own():
    rule = {"left": {"kind": "left_object", "after_s": 2}}
    people = [Walker(((k, 100 + 200 * k, 300), (k + 2, 100 + 200 * k, 300), (k + 6, 500, 480))) for k in range(2)]
    bags = [Walker(((k + 1, 110 + 200 * k, 300), (30, 110 + 200 * k, 300)), "bag", 20) for k in range(2)]
    alerts = alerts_of(rules_of(rule), people + bags, 15)
    assert [(a.state, a.label) for a in alerts] == [("new", "bag"), ("new", "bag")]
    assert len({a.id for a in alerts}) == 2


def test_the_late_lane_says_so():
    frames = [(msgspec.structs.replace(f, lane="late"), t) for f, t in frames_of([THROUGH], times_of(5, 10))]
    _, alerts = run_alerts(rules_of(ENTRY, YARD), frames)
    assert [a.late for a in alerts] == [True]


def test_the_same_frames_give_the_same_bytes_whatever_interrupts_them():
    rules = rules_of(ENTRY | STAY, YARD)
    frames = list(frames_of([THROUGH, SECOND, LATER], times_of(36, 10)))
    _, whole = run_alerts(rules, frames)
    states, parts = None, []
    for start in range(0, len(frames), 7):
        states, alerts = run_alerts(rules, frames[start : start + 7], states)
        states = tuple(msgspec.msgpack.decode(msgspec.msgpack.encode(s), type=type(s)) for s in states)
        parts += alerts
    assert [encode(a) for a in parts] == [encode(a) for a in whole]


def test_the_state_is_at_its_floor_when_all_is_over():
    (_, state), alerts = run_alerts(rules_of(ENTRY | STAY, YARD), frames_of([THROUGH, SECOND], times_of(30, 10)))
    assert alerts
    assert (state.incidents, state.waiting) == ((), ())


def anomaly(s, score, *, ended=False, zone="yard"):
    return Event(
        id=f"a{s}", site="site", camera="gate", lane="live", kind="anomaly", rule="", rule_version=0,
        at_ms=T0_MS + s * 1000, ended=ended, label="person", zone=zone, score=score,
        trace=(Condition("occupancy", "0.0 to 2.0", "9.0"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "states"),
    [
        ({}, ["new", "end"]),
        ({"zone": "yard"}, ["new", "end"]),
        ({"labels": ["person"]}, ["new", "end"]),
        ({"labels": ["car"]}, []),  # of another label
        ({"zone": "other"}, []),  # in another zone
        ({"score": 9}, []),  # not unusual enough
    ],
)
def test_an_anomaly_is_an_alert_of_the_rule_that_listens(rule, states):
    zones = {"yard": SQUARE, "other": SQUARE[:3]}
    policy = AlertPolicy(rules_of({"odd": {"kind": "anomaly", "cooldown_s": 60} | rule}, zones))
    state, alerts = PolicyState(), []
    for event in (anomaly(60, 6.0), anomaly(120, 1.0, ended=True)):
        state, told = policy.step(state, (event,), at_ms=event.at_ms, frame=None)
        alerts += told
    assert [a.state for a in alerts] == states
    assert state.incidents == ()
    assert not alerts or alerts[0].why == "unusual in yard: occupancy 9.0, usually 0.0 to 2.0"


def test_a_status_moves_no_time_for_incidents_of_the_frames():
    rules = rules_of(ENTRY, YARD)
    (_, state), _ = run_alerts(rules, frames_of([THROUGH], times_of(9, 10)))
    state, told = AlertPolicy(rules).step(state, (), at_ms=T0_MS + 10**9, frame=None)
    assert told == ()
    state, told = AlertPolicy(rules).step(state, (), at_ms=T0_MS + 20_000, frame=frame_of(T0_MS + 20_000, []))
    assert [a.state for a in told] == ["end"]


@pytest.mark.parametrize("seed", range(4))
def test_every_alert_lives_from_new_to_end_whatever_is_switched_meanwhile(seed):
    rng = np.random.default_rng(seed)
    kinds = {"cross": {"kind": "line_crossing", "line": "gate"}, "many": {"kind": "crowd", "zone": "yard", "count": 2}}
    variants = [
        {"rules": ENTRY | STAY | kinds},
        {"rules": ENTRY | STAY | kinds, "site": {"arming": {"armed": False}}},
        {"rules": STAY | kinds, "camera": {"maintenance": True}},
        {"rules": {"entry": ENTRY["entry"] | {"cooldown_s": 0}} | kinds},
    ]
    walkers = walkers_of(rng, 12, stay=(0.0, 8.0))
    frames = list(frames_of(walkers, times_of(end_of(walkers), 5), 0.5, rng, end=True))
    states, alerts, place = None, [], 0
    while place < len(frames):
        rules = rules_of(zones=YARD, lines={"gate": ((0.5, 0.1), (0.5, 0.9))}, **variants[rng.integers(len(variants))])
        count = int(rng.integers(1, 60))
        states, told = run_alerts(rules, frames[place : place + count], states)
        alerts += told
        place += count
    assert len({a.id for a in alerts}) > 5
    for name in {a.id for a in alerts}:
        lives = [a for a in alerts if a.id == name]
        assert [a.revision for a in lives] == list(range(1, len(lives) + 1))
        assert [a.state for a in lives] == ["new", *["update"] * (len(lives) - 2), "end"]
        assert lives[0].started_at_ms <= lives[-1].ended_at_ms <= lives[-1].at_ms
    assert states[1].incidents == states[1].waiting == ()


def test_all_who_waited_for_the_arming_must_be_over_before_the_alert_is():
    first, second = Walker(((0, 300, 240), (12, 300, 240))), Walker(((0, 400, 300), (40, 400, 300)))
    frames = [
        (msgspec.structs.replace(frame, detail=i == 70), tracks)  # better evidence: both are told again while they wait
        for i, (frame, tracks) in enumerate(frames_of([first, second], times_of(40, 10)))
    ]
    states, _ = run_alerts(rules_of(ENTRY, YARD, site={"arming": {"armed": False}}), frames[:100])
    _, alerts = run_alerts(rules_of(ENTRY, YARD), frames[100:], states)
    assert [a.state for a in alerts] == ["new", "update"]
    assert alerts[-1].track_ids == (1, 2)


def test_an_anomaly_that_lasts_is_one_event_however_many_windows_it_has():
    policy = AlertPolicy(rules_of({"odd": {"kind": "anomaly", "score": 4}}))
    state, alerts = PolicyState(), []
    for event in [*(anomaly(60 * k, 4.0 + k) for k in range(1, 30)), anomaly(1800, 1.0, ended=True)]:
        state, told = policy.step(state, (event,), at_ms=event.at_ms, frame=None)
        alerts += told
        assert all(len(one.events) == 1 for one in state.incidents)
    assert [a.state for a in alerts] == ["new", *["update"] * 28, "end"]
    assert state.incidents == ()


def test_an_anomaly_ends_for_the_rule_that_wants_more():
    policy = AlertPolicy(rules_of({"odd": {"kind": "anomaly", "score": 6}, "other": {"kind": "anomaly", "score": 4}}))
    state, alerts = PolicyState(), []
    for event in (anomaly(60, 7.0), anomaly(120, 5.0)):
        state, told = policy.step(state, (event,), at_ms=event.at_ms, frame=None)
        alerts += told
    assert [(a.rule, a.state) for a in alerts] == [("odd", "new"), ("other", "new"), ("odd", "end")]


def test_the_sentence_counts_those_who_join():
    alerts = alerts_of(rules_of(ENTRY, YARD), [THROUGH, SECOND])
    assert alerts[0].why == "person entered yard"
    assert alerts[-1].why == "person entered yard, and 1 more; over after 9 s"


def test_a_crowd_is_shown_with_the_boxes_of_all_who_count():
    three = [Walker(((0, 250 + 40 * k, 250), (10, 250 + 40 * k, 250))) for k in range(3)]
    outside = Walker(((0, 30, 100), (10, 30, 100)))
    rule = {"many": {"kind": "crowd", "zone": "yard", "count": 3, "after_s": 1}}
    alerts = alerts_of(rules_of(rule, YARD), [*three, outside], 8)
    assert alerts[0].evidence.boxes == tuple(walker.box(2) for walker in three)
