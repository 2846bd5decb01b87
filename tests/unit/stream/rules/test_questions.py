"""What is asked about: once, with what shows it best, within its room, and never what rules hear of."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream.rules import Questioner, QuestionState
from stream.tracking import Detections
from tests.rule_scenes import HEIGHT, SQUARE, T0_MS, WIDTH, Walker, frames_of, rules_of, times_of

RULES = {"entry": {"kind": "zone_entry", "zone": "middle"}}
HOUR_S, DAY_S = 3600, 86_400


def questioner(ask_from=0.15, per_hour=6):
    learning = {"ask_from": ask_from, "questions_per_hour": per_hour}
    return Questioner(rules_of(RULES, {"middle": SQUARE}, camera={"learning": learning}))


def asked(*walkers, seconds=12.0, told=(), logic=None, sure=None):
    """The alerts of a scene, its state through its bytes; `told` are the walkers whose tracks rules hear of.

    `sure` gives the confidence of all boxes by the time in s.
    """
    logic, state, alerts = logic or questioner(), QuestionState(), []
    for frame, tracks in frames_of(walkers, times_of(seconds, 10)):
        s = (frame.captured_at_ms - T0_MS) / 1000
        scores = [sure(s) if sure else track.confidence for track in tracks]
        boxes = Detections(
            captured_at_ms=frame.captured_at_ms,
            xyxy=np.array([track.xyxy for track in tracks]).reshape(-1, 4),
            confidence=np.array(scores, float),
            labels=tuple(track.label for track in tracks),
            picture=(WIDTH, HEIGHT),
        )
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=QuestionState)
        state, new = logic.step(state, frame, boxes, [track for track in tracks if track.track_id in told])
        alerts += new
    return alerts


def doubtful(confidence=0.3, x=300.0, begin_s=0.0, end_s=3.0, **values):
    return Walker(((begin_s, x, 300.0), (end_s, x + 40, 300.0)), confidence=confidence, **values)


def questions(alerts):
    return [one for one in alerts if one.state == "new"]


def test_what_went_by_is_asked_about_when_it_is_gone():
    new, over = asked(doubtful())
    assert (new.state, over.state, new.id) == ("new", "end", over.id)
    assert (new.kind, new.rule, new.severity) == ("question", "question", "info")
    assert new.why == "is this a person? The detector is 30% sure"
    assert new.track_ids == ()  # another tracker's numbers


def test_it_is_shown_as_the_detector_was_surest():
    (one,) = questions(asked(doubtful(), sure=lambda s: 0.4 if abs(s - 2) < 0.01 else 0.2))
    assert one.started_at_ms == one.evidence.captured_at_ms == T0_MS + 2000
    assert (one.score, one.evidence.confidence) == (0.4, 0.4)


def test_what_stays_is_asked_about_while_it_is_there():
    (one,) = questions(asked(doubtful(end_s=12.0)))
    assert one.at_ms == T0_MS + 5000


@pytest.mark.parametrize(
    ("walkers", "told", "count"),
    [
        ((doubtful(confidence=0.1),), (), 0),  # less than it is asked from
        ((doubtful(),), (1,), 0),  # rules hear of it
        ((doubtful(), doubtful(confidence=0.9, x=302)), (2,), 0),  # it is a part of what they hear of
        ((doubtful(), doubtful(confidence=0.9, x=500)), (2,), 1),  # something else
        ((doubtful(end_s=0.1),), (), 0),  # seen twice, at .3
        ((doubtful(), doubtful(begin_s=7, end_s=10)), (), 1),  # the same place again
        ((doubtful(), doubtful(begin_s=7, end_s=10, x=400)), (), 2),  # another place
        ((doubtful(), doubtful(begin_s=7, end_s=10, label="bag")), (), 2),  # something else there
    ],
)
def test_what_is_asked(walkers, told, count):
    assert len(questions(asked(*walkers, told=told, seconds=14.0))) == count


def test_an_hour_has_room_for_so_many():
    walkers = [doubtful(x=x, begin_s=5 * k, end_s=5 * k + 1) for k, x in enumerate((0.0, 500.0, 150.0, 400.0))]
    assert len(questions(asked(*walkers, seconds=24.0))) == 4
    assert len(questions(asked(*walkers, seconds=24.0, logic=questioner(per_hour=3)))) == 3


@pytest.mark.parametrize(("later_s", "count"), [(HOUR_S, 1), (DAY_S, 2)])
def test_a_place_is_asked_about_once_a_day(later_s, count):
    logic, state, alerts = questioner(), QuestionState(), []
    walker = doubtful()
    for begin_ms in (0, later_s * 1000):
        for frame, tracks in frames_of([walker], times_of(8.0, 10)):
            at_ms = frame.captured_at_ms + begin_ms
            boxes = Detections(
                captured_at_ms=at_ms,
                xyxy=np.array([track.xyxy for track in tracks]).reshape(-1, 4),
                confidence=np.array([track.confidence for track in tracks], float),
                labels=tuple(track.label for track in tracks),
            )
            frame = msgspec.structs.replace(frame, captured_at_ms=at_ms)
            state, new = logic.step(state, frame, boxes, ())
            alerts += new
    assert len(questions(alerts)) == count
