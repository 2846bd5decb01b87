"""A candidate that makes things worse is taken back, with the reason; one that is as good is left alone."""

import msgspec
import pytest

from contracts.config import RolloutBounds
from stream.rollout import GuardState, RolloutGuard
from stream.rollout.guard import HOUR_MIN, MINUTE_MS
from tests.rollout_tools import alert, answer, report

GUARD = RolloutGuard(RolloutBounds())
HOUR_MS = HOUR_MIN * MINUTE_MS


def after(*observations, state=None):
    """(state, all verdicts)."""
    state, verdicts = state or GuardState(), []
    for one in observations:
        step = {"ModelReport": GUARD.report, "Alert": GUARD.alert, "Feedback": GUARD.feedback}[type(one).__name__]
        state, verdict = step(state, one)
        verdicts += [] if verdict is None else [verdict]
    return state, verdicts


def pair(**counts):
    """Ten frames that both looked at, in the same time."""
    return {"frames": 10, "candidate_s": 0.1, "in_service_s": 0.1} | counts


@pytest.mark.parametrize(
    ("said", "reason", "why"),
    [
        (report(state="refused", reason="new@2: sha256"), "refused", "new@2: sha256"),
        (report(state="loading"), None, ""),
        (report(served=[{"frames": 100, "errors": 2}]), None, ""),  # too few to tell
        (report(served=[{"frames": 997, "errors": 3}]), None, ""),  # 0.3 %
        (report(served=[{"frames": 97, "errors": 3}]), "errors", "failed on 3 of 100 frames"),
        (report(compared=[pair(errors=3)]), "errors", "failed on 3 of 13 frames"),  # a shadow's
        (report(compared=[pair(boxes={"person": 40}, lost={"person": 20})]), None, ""),  # half
        (
            report(compared=[pair(boxes={"person": 40, "car": 60}, lost={"person": 21})]),
            "lost",
            "gate: 21 of 40 boxes of person are lost",
        ),
        (report(compared=[pair(boxes={"person": 19}, lost={"person": 19})]), None, ""),  # too few
        (report(compared=[pair(gained={"person": 100})]), None, ""),  # a better one sees what the other missed
        (report(compared=[pair(gained={"person": 101})]), "flood", "10.1 more boxes a frame, on 10 frames"),
        (report(compared=[pair(candidate_s=0.3)]), None, ""),
        (report(compared=[pair(candidate_s=0.31)]), "latency", "31.0 ms a frame instead of 10.0"),
        (report(compared=[pair(candidate_s=9.0, frames=9)]), None, ""),
        (report(served=[{"frames": 50, "model": "old@1", "errors": 9}]), None, ""),  # another's errors
    ],
)
def test_what_a_process_reports(said, reason, why):
    state, verdicts = after(said)
    assert [(one.model, one.version, one.reason, one.why) for one in verdicts] == (
        [("new@2", 9, reason, why)] if reason else []
    )
    assert (state.trial is None) == (reason is not None)


def test_reports_add_up_over_processes_and_time():
    part = pair(boxes={"person": 8}, lost={"person": 8})
    reports = [report(at_ms=1_000 * number, compared=[part]) for number in range(3)]
    _, verdicts = after(*reports)
    assert [one.why for one in verdicts] == ["gate: 24 of 24 boxes of person are lost"]


def test_a_class_that_is_lost_at_one_camera_is_not_hidden_by_the_others():
    good, bad = (
        pair(camera=camera, boxes={"person": 500, "car": 30}, lost={"car": lost})
        for camera, lost in (("yard", 0), ("gate", 30))
    )
    _, verdicts = after(report(compared=[good, bad]))
    assert [one.why for one in verdicts] == ["gate: 30 of 30 boxes of car are lost"]


def test_one_verdict_a_candidate():
    """Other processes still report it for a moment; promoted anew, it is judged anew."""
    bad = report(served=[{"frames": 1, "errors": 9}])
    state, verdicts = after(bad, bad, msgspec.structs.replace(bad, version=8))
    assert len(verdicts) == 1
    _, again = after(msgspec.structs.replace(bad, version=11), state=state)
    assert [one.version for one in again] == [11]


@pytest.mark.parametrize(
    ("first", "last", "minutes", "why"),
    [
        ({}, {}, 9, ""),
        ({}, {}, 10, "within 10 min no frame of its cameras came"),
        ({}, {"served": [{"frames": 1}]}, 10, ""),
        ({}, {"compared": [{"frames": 1}]}, 10, ""),
        ({}, {"served": [{"model": "old@1", "frames": 9}]}, 10, "within 10 min no frame of its cameras came"),
        (
            {"compared": [{"dropped": 3}]},
            {"compared": [{"dropped": 4}]},
            10,
            "within 10 min there was no time for any of 7 frames",
        ),
    ],
)
def test_a_candidate_that_no_frame_comes_to_does_not_wait_for_ever(first, last, minutes, why):
    between = [report(at_ms=minute * MINUTE_MS) for minute in range(1, minutes)]
    _, verdicts = after(report(at_ms=0, **first), *between, report(at_ms=minutes * MINUTE_MS, **last))
    assert [(one.reason, one.why) for one in verdicts] == ([("idle", why)] if why else [])


def test_what_went_everywhere_is_judged_anew_and_said_to_have_been_in_service():
    canary = report(served=[{"frames": 97, "errors": 2}])
    everywhere = report(version=11, stage="everywhere", served=[{"frames": 10, "errors": 1}])
    state, verdicts = after(canary, everywhere)
    assert (verdicts, state.trial.stage, state.trial.errors) == ([], "everywhere", 1)
    _, (verdict,) = after(everywhere, everywhere, state=state)
    assert (verdict.stage, verdict.reason, verdict.version) == ("everywhere", "errors", 11)


def test_a_candidate_of_which_nothing_is_heard_is_forgotten():
    state, _ = after(report(at_ms=0), report(at_ms=60_001, candidate="", version=0))
    assert state.trial is None


@pytest.mark.parametrize(
    ("usual_an_hour", "candidates", "minutes", "reason"),
    [
        (60, 5, 1, None),  # one a minute is usual; three times that may come by chance as five
        (60, 6, 1, None),
        (60, 9, 1, "alerts"),
        (60, 40, 10, None),  # four a minute ... of ten minutes: 40 <= 30 + 2 * sqrt(30)
        (60, 45, 10, "alerts"),
        (0, 4, 1, None),  # too few to tell
        (0, 5, 1, "alerts"),  # after a quiet hour
        (0, 5, 60, None),  # over an hour
    ],
)
def test_alerts(usual_an_hour, candidates, minutes, reason):
    start = 10 * HOUR_MS
    usual = [alert(start - HOUR_MS + number * MINUTE_MS) for number in range(usual_an_hour)] or [alert(1, camera="x")]
    new = [alert(start + number, model="new@2") for number in range(candidates)]
    served = [{"frames": 1}]
    reports = [report(start + minute * MINUTE_MS, served=served) for minute in range(minutes + 1)]
    _, verdicts = after(*usual, *reports, *new)
    assert [one.reason for one in verdicts] == ([reason] if reason else [])


@pytest.mark.parametrize(
    "other",
    [
        alert(model="new@2", state="update"),
        alert(model="new@2", late=True),
        alert(model="new@2", kind="question"),
        alert(model="old@1"),
    ],
)
def test_only_new_live_alerts_of_the_candidate_count(other):
    state, _ = after(report(), other)
    assert state.trial.alerts == 0


@pytest.mark.parametrize(
    ("before", "now", "unwanted"),
    [
        (["true"] * 8, ["false"] * 3, False),  # too few
        (["true"] * 8, ["false", "nuisance", "true", "true"], True),  # 50 % against 10 % and 30 more
        (["true"] * 8, ["false", "true", "true", "true"], False),
        (["false"] * 8, ["false"] * 4, False),  # as bad as before
        ([], ["false", "false", "false", "true"], False),  # nothing is known of before
    ],
)
def test_answers(before, now, unwanted):
    answers = [answer(number, verdict) for number, verdict in enumerate(before)]
    newer = [answer(100 + number, verdict, "new@2") for number, verdict in enumerate(now)]
    _, verdicts = after(*answers, report(), *newer)
    assert [one.reason for one in verdicts] == (["answers"] if unwanted else [])


def test_what_was_only_asked_says_nothing_of_alerts():
    asked = [msgspec.structs.replace(answer(number, "false", "new@2"), kind="question") for number in range(9)]
    state, _ = after(*(answer(number, "true") for number in range(8)), report(), *asked)
    assert state.trial.answered == {}


def test_the_last_answer_to_an_alert_counts():
    known = [answer(number, "true") for number in range(8)]
    wrong = [answer(number, verdict, "new@2") for number in range(4) for verdict in ("false", "true")]
    state, verdicts = after(*known, report(), *wrong)
    assert verdicts == []
    assert sum(state.trial.answered.values()) == 0


def test_the_state_stays_small():
    alerts = [alert(minute * MINUTE_MS) for minute in range(1000)]
    answers = [answer(number, "true", model) for number in range(2000) for model in ("old@1", "new@2")]
    state, _ = after(*alerts, report(), *answers)
    assert len(msgspec.msgpack.encode(state)) < 20_000
