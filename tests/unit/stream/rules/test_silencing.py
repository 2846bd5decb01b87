"""What an operator's answer silences, what it never does, and what becomes of events that begin silent."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from contracts.config import Period
from contracts.suppressions import Suppression
from stream.rules import EngineState, Silencer, SilenceState
from stream.rules.silencing import Hushed
from tests.rule_scenes import HEIGHT, SQUARE, T0_MS, WIDTH, Walker, frames_of, rules_of, run_silenced, times_of

RULES = rules_of({"entry": {"kind": "zone_entry", "zone": "middle", "cooldown_s": 1}}, {"middle": SQUARE})
DAY_MS = 86_400_000
X, Y, TALL = 320.0, 240.0, 60.0
"""Where the coat stand is (bottom centre) and how tall, px of 640x480."""
INERTIA_MS = 300
"""What stands in the zone from the first frame on has entered it by then."""


def look(degrees: float) -> bytes:
    """A unit vector; the cosine of two is that of the angle between them."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], "<f2").tobytes()


COAT = look(0)


def suppression(**changes) -> Suppression:
    """The answer to an alert about the coat stand; the scenes' model is m@1, their time 22:13 UTC."""
    half = TALL * 0.4 / 2
    values = {
        "id": "answer",
        "alert": "alert",
        "rule": "entry",
        "label": "person",
        "xyxy": ((X - half) / WIDTH, (Y - TALL) / HEIGHT, (X + half) / WIDTH, Y / HEIGHT),
        "model": "m@1",
        "hours": Period(from_="20:00", until="02:00"),
        "made_at_ms": T0_MS - DAY_MS,
        "until_ms": T0_MS + DAY_MS,
        "embedding": COAT,
    }
    return Suppression(**(values | changes))


def standing(x=X, y=Y, seconds=2.0, **values) -> Walker:
    return Walker(((0, x, y), (seconds, x, y)), **({"look": COAT} | values))


def told(*walkers, silenced=suppression(), seconds=9.0):  # noqa: B008  a frozen value
    rules = replace(RULES, suppressions=(silenced,) if silenced else ())
    return run_silenced(lambda _: rules, frames_of(walkers, times_of(seconds, 10)))


def begun(alerts):
    return [alert for alert in alerts if alert.state == "new"]


def test_the_same_again_is_an_event_and_no_alert() -> None:
    events, alerts = told(standing())
    assert alerts == []
    assert [(event.opened_by != "", event.ended, event.suppressed_by) for event in events] == [
        (False, False, "answer"),
        (True, True, "answer"),
    ]
    assert len(begun(told(standing(), silenced=None)[1])) == 1


@pytest.mark.parametrize(
    ("what", "walker"),
    [
        ("a body height to the right", standing(x=X + TALL)),
        ("a body height to the left", standing(x=X - TALL)),
        ("a body height nearer", standing(y=Y + TALL)),
        ("a body height farther", standing(y=Y - TALL)),
        ("twice as tall", standing(height=2 * TALL)),
        ("another look there", standing(look=look(60))),
        ("no look at all", standing(look=b"")),
        ("a look of another model's length", standing(look=COAT + b"\0\0")),
    ],
)
def test_what_is_elsewhere_or_looks_otherwise_alerts_at_once(what, walker) -> None:
    _, alerts = told(walker)
    assert [alert.started_at_ms - T0_MS for alert in begun(alerts)] == [INERTIA_MS], what


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("another rule", {"rule": "other"}),
        ("another label", {"label": "bag"}),
        ("another model in service", {"model": "m@2"}),
        ("another hour", {"hours": Period(from_="02:00", until="20:00")}),
        ("over", {"until_ms": T0_MS}),
    ],
)
def test_a_suppression_holds_for_no_more_than_it_says(what, changes) -> None:
    assert len(begun(told(standing(), silenced=suppression(**changes))[1])) == 1, what


def test_of_a_model_without_looks_the_place_alone_is_silenced() -> None:
    assert told(standing(look=b""), silenced=suppression(embedding=b""))[1] == []


@pytest.mark.parametrize("degrees", [0, 30, 36])
def test_a_look_may_change_as_much_as_the_same_thing_does(degrees) -> None:
    assert told(standing(look=look(degrees)))[1] == []


def test_what_begins_on_the_place_and_walks_away_is_told_as_soon_as_it_has() -> None:
    walker = Walker(((0, X, Y), (1, X, Y), (3, X + 100, Y), (5, X + 100, Y)), look=COAT)
    events, alerts = told(walker, seconds=12)
    (new,) = begun(alerts)
    # 50 px/s: after 0.2 s it is 8 px = a third of its width away, and 3 sights later it is told.
    assert 1_200 <= new.started_at_ms - T0_MS <= 1_600
    assert new.evidence.xyxy[0] > X - 12
    assert alerts[-1].state == "end"
    assert [event.suppressed_by for event in events] == ["answer", "", ""]


def test_a_passer_by_that_the_tracker_takes_for_the_coat_stand_is_told_by_the_look() -> None:
    frames = [
        (frame, [msgspec.structs.replace(track, embedding=COAT if number < 10 else look(70)) for track in tracks])
        for number, (frame, tracks) in enumerate(frames_of([standing()], times_of(4, 10)))
    ]
    rules = replace(RULES, suppressions=(suppression(),))
    (new,) = begun(run_silenced(lambda _: rules, frames)[1])
    assert new.started_at_ms == frames[12][0].captured_at_ms


def test_two_sights_of_somebody_in_front_of_it_break_no_silence() -> None:
    frames = [
        (frame, [msgspec.structs.replace(track, embedding=look(70) if number in (5, 6) else COAT) for track in tracks])
        for number, (frame, tracks) in enumerate(frames_of([standing()], times_of(4, 10)))
    ]
    rules = replace(RULES, suppressions=(suppression(),))
    assert run_silenced(lambda _: rules, frames)[1] == []


def test_an_alert_that_goes_on_ends_with_its_answer_and_the_next_one_is_new() -> None:
    answered_at_ms = T0_MS + 1_000
    frames = list(
        frames_of([standing(seconds=4), Walker(((2, 400, 240), (4, 400, 240)), look=look(60))], times_of(9, 10))
    )
    _, unanswered = run_silenced(lambda _: RULES, frames)
    assert len(begun(unanswered)) == 1, "without an answer both are one incident"
    answer = suppression(alert=unanswered[0].id)
    quiet = replace(RULES, suppressions=(answer,))
    events, alerts = run_silenced(lambda at_ms: quiet if at_ms >= answered_at_ms else RULES, frames)
    assert [(one.state, one.end_reason, one.at_ms - T0_MS) for one in alerts[:2]] == [
        ("new", "", INERTIA_MS),
        ("end", "silenced", 1_000),
    ]
    assert [one.started_at_ms - T0_MS for one in begun(alerts)] == [INERTIA_MS, 2_000 + INERTIA_MS]
    assert [event.suppressed_by for event in events if event.track_ids == (1,)] == ["", "answer", "answer"]


def test_an_answer_about_another_alert_leaves_one_that_goes_on() -> None:
    quiet = replace(RULES, suppressions=(suppression(alert="another"),))
    rules_at = lambda at_ms: quiet if at_ms > T0_MS + 500 else RULES  # noqa: E731
    _, alerts = run_silenced(rules_at, frames_of([standing()], times_of(9, 10)))
    assert alerts[-1].end_reason == "over"


@pytest.mark.parametrize("gone", ["taken back", "expired", "another model"])
def test_what_is_silent_is_told_when_its_suppression_is_no_more(gone) -> None:
    at_ms = T0_MS + 1_000
    after = {
        "taken back": (),
        "expired": (suppression(until_ms=at_ms),),
        "another model": (suppression(model="m@0"),),
    }[gone]
    rules_at = lambda now_ms: replace(RULES, suppressions=after if now_ms >= at_ms else (suppression(),))  # noqa: E731
    (new,) = begun(run_silenced(rules_at, frames_of([standing()], times_of(4, 10)))[1])
    assert new.started_at_ms == at_ms


def test_the_hours_end_lets_what_is_silent_be() -> None:
    """It stays what it was; only what begins in other hours has to be answered anew."""
    until = suppression(hours=Period(from_="20:00", until="22:14"))  # 40 s into the scene
    events, alerts = told(standing(seconds=60), silenced=until, seconds=62)
    assert (alerts, events[-1].suppressed_by) == ([], "answer")


def test_the_state_is_bounded_by_what_goes_on_and_survives_its_encoding() -> None:
    rules = replace(RULES, suppressions=(suppression(),))
    state = SilenceState(hushed=(Hushed("gone", "answer", 1),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=SilenceState) == state
    frame, _ = next(iter(frames_of([standing()], times_of(1, 10))))
    after, _ = Silencer(rules).step(state, (), EngineState(), frame, {})
    assert after.hushed == ()
