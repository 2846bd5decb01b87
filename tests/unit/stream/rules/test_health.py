"""Camera down, silence and tamper: what begins and what ends them, and how the alerts read."""

import pytest

from stream.rules import AlertPolicy, EngineState, PolicyState, RuleEngine
from tests.rule_scenes import T0_MS, frame_of, rules_of, seconds, status_of

DOWN = {"down": {"kind": "camera_down", "silent_s": 10, "cooldown_s": 5}}
TAMPER = {"tamper": {"kind": "tamper", "states": ["black", "covered"], "cooldown_s": 5}}


def told(rules, calls):
    """(s, ended) of the events; a call is a status, or the second at which a clock was looked at."""
    engine, state, events = RuleEngine(rules), EngineState(), []
    for call in calls:
        if isinstance(call, int | float):
            state, more = engine.on_silence(state, T0_MS + round(call * 1000))
        else:
            state, more = engine.on_status(state, call)
        events += more
    return [(seconds(event), event.ended) for event in events]


@pytest.mark.parametrize(
    ("rules", "calls", "expected"),
    [
        (DOWN, [status_of(0), status_of(1, "down"), status_of(2, "down"), status_of(3)], [(1, False), (3, True)]),
        (DOWN, [status_of(0, "down"), status_of(1, "starting"), status_of(2)], [(0, False), (2, True)]),
        (DOWN, [status_of(0, "starting"), status_of(5)], []),
        (DOWN, [status_of(0), 9, 10, 11, status_of(12)], [(10, False), (12, True)]),  # silent for 10 s
        (DOWN, [status_of(0, "ended"), 60], []),  # a finite source that is over
        (DOWN, [5, 14, 15, status_of(16)], [(15, False), (16, True)]),  # an agent that never spoke
        (DOWN, [status_of(0), 20, status_of(21, "down"), status_of(30)], [(20, False), (30, True)]),  # one incident
        (DOWN, [status_of(100, offset_ms=90_000), 15, 20], [(20, False)]),  # the agent's clock is 90 s ahead
        (TAMPER, [status_of(0), status_of(1, tamper=("black",)), status_of(5)], [(1, False), (5, True)]),
        (TAMPER, [status_of(0, tamper=("frozen",))], []),  # not asked for
        (TAMPER, [status_of(0, tamper=("black",)), status_of(1, tamper=("covered",))], [(0, False)]),  # goes on
        (DOWN, [status_of(0, tamper=("black",))], []),
    ],
)
def test_health_events(rules, calls, expected):
    assert told(rules_of(rules), calls) == expected


def test_health_alerts_show_the_last_frame_and_outlive_the_frames():
    rules = rules_of(DOWN | TAMPER)
    engine, policy = RuleEngine(rules), AlertPolicy(rules)
    state, _, _ = engine.step(EngineState(), frame_of(T0_MS, [], index=7), [])
    state, events = engine.on_status(state, status_of(1, "down", tamper=("black",)))
    policies, alerts = policy.step(PolicyState(), events, at_ms=T0_MS + 1000, frame=None)
    assert [a.why for a in alerts] == ["the camera is down: no picture for 10 s", "the picture is black"]
    assert [a.evidence.ref.offset for a in alerts] == [7, 7]
    state, _, events = engine.step(state, frame_of(T0_MS + 50_000, [], index=8), [])
    policies, alerts = policy.step(policies, events, at_ms=T0_MS + 50_000, frame=frame_of(T0_MS + 50_000, []))
    assert alerts == ()
    state, events = engine.on_status(state, status_of(51))
    policies, alerts = policy.step(policies, events, at_ms=T0_MS + 51_000, frame=None)
    assert alerts == ()
    policies, alerts = policy.step(policies, (), at_ms=T0_MS + 57_000, frame=None)
    assert [(a.state, a.ended_at_ms - T0_MS) for a in alerts] == [("end", 51_000), ("end", 51_000)]
    assert [a.why for a in alerts] == [
        "the camera was down: no picture for 10 s; back after 50 s",
        "the picture was black; clear again after 50 s",
    ]
    assert policies.incidents == ()


def test_the_sentence_of_a_silent_agent():
    rules = rules_of(DOWN)
    state, _ = RuleEngine(rules).on_status(EngineState(), status_of(0))
    _, events = RuleEngine(rules).on_silence(state, T0_MS + 12_000)
    _, (alert,) = AlertPolicy(rules).step(PolicyState(), events, at_ms=T0_MS + 12_000, frame=None)
    assert alert.why == "the agent has been silent for 12 s"
