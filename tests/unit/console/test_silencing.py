"""What a verdict silences: made and undone with the answer, told to the jobs, bounded, seen and taken back."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from console.answers import Verdict, answer, answer_all
from console.hub import Hub
from console.rights import ForbiddenError, Who
from console.silencing import NoSuppressionError, Silences, Silencing, hours_around, suppression_of
from console.store.rows import AnswerRow
from console.store.store import Store
from contracts import topics
from contracts.codec import decode
from contracts.config import Period, Suppressions
from contracts.controls import Control, SetSuppressions
from tests.api_tools import Browser, signed_in
from tests.console_tools import AT_MS, alert_of, evidence_of, person, take

ANNA, SUE = Who("anna", "operator"), Who("sue", "supervisor")
SILENCING = Silencing("site", "UTC", Suppressions(most=3))
LOOK = b"\x00\x3c" * 4
SEEN = replace(evidence_of(1), xyxy=(64.0, 48.0, 128.0, 240.0), width=640, height=480, embedding=LOOK)
SAID = AnswerRow(id="a", alert="alert-1", operator="anna", at_ms=AT_MS, action="verdict", verdict="false")


@pytest.fixture
def ready(store: Store) -> Store:
    """An operator, a supervisor, and six alerts of one camera, the last of no single thing."""
    person(store)
    person(store, "sue", "supervisor")
    take(store, *(alert_of(n, evidence=SEEN) for n in range(5)), alert_of(5, kind="crowd", evidence=SEEN))
    return store


def told(store: Store) -> list[Control]:
    """The controls that wait for the broker."""
    return [decode(one.value, Control) for one in store.answers.unsent(1000) if one.topic == topics.CONTROLS]


def silenced(store: Store) -> list[list[str]]:
    """The alerts whose likes are silenced, as each control told it."""
    changes = [one.change for one in told(store)]
    assert all(isinstance(one, SetSuppressions) for one in changes)
    return [[one.alert for one in change.suppressions] for change in changes]


def say(store: Store, alert: str, verdict: str, at_ms: int, who: Who = ANNA) -> None:
    answer(store, Hub(), who, alert, Verdict(verdict), at_ms=at_ms, silencing=SILENCING)


@pytest.mark.parametrize("verdict", ["false", "nuisance"])
def test_an_answer_silences_what_is_like_the_alert_in_its_own_transaction(ready: Store, verdict: str) -> None:
    say(ready, "alert-1", verdict, AT_MS + 1000)
    (control,) = told(ready)
    (made,) = control.change.suppressions
    assert (made.alert, made.xyxy, made.embedding) == ("alert-1", (0.1, 0.1, 0.2, 0.5), LOOK)
    assert made.until_ms == AT_MS + 1000 + 14 * 86_400_000
    assert control.effective_from_ms == AT_MS + 1500
    assert [one.topic for one in ready.answers.unsent()] == [topics.FEEDBACK, topics.CONTROLS]
    entries = ready.audit.page(limit=10)
    assert "silence" in {one.action for one in entries}


def test_another_answer_undoes_it(ready: Store) -> None:
    say(ready, "alert-1", "false", AT_MS + 1000)
    say(ready, "alert-1", "true", AT_MS + 2000, SUE)
    say(ready, "alert-1", "nuisance", AT_MS + 3000)
    assert silenced(ready) == [["alert-1"], [], ["alert-1"]]
    assert [one.version for one in told(ready)] == sorted({one.version for one in told(ready)})


def test_the_same_answer_again_silences_once(ready: Store) -> None:
    for _ in range(2):
        answer(ready, Hub(), ANNA, "alert-1", Verdict("false"), at_ms=AT_MS, answer_id="mine", silencing=SILENCING)
    assert len(ready.suppressions.read(AT_MS)) == 1


def test_many_answers_are_told_at_once_and_the_oldest_go(ready: Store) -> None:
    answer_all(ready, Hub(), ANNA, [f"alert-{n}" for n in range(5)], Verdict("false"), at_ms=AT_MS, silencing=SILENCING)
    assert silenced(ready) == [["alert-2", "alert-3", "alert-4"]]


@pytest.mark.parametrize(
    ("what", "alert", "said"),
    [
        ("a true alarm", alert_of(1, evidence=SEEN), replace(SAID, verdict="true")),
        ("a crowd", alert_of(1, kind="crowd", evidence=SEEN), SAID),
        ("somebody", alert_of(1, kind="known_person", evidence=SEEN), SAID),
        ("no picture", alert_of(1, evidence=None), SAID),
        ("no box", alert_of(1, evidence=replace(SEEN, xyxy=None)), SAID),
        ("a comment", alert_of(1, evidence=SEEN), replace(SAID, action="comment", verdict=None)),
    ],
)
def test_what_silences_nothing(what, alert, said) -> None:
    assert suppression_of(alert, said, "UTC", Suppressions()) is None, what
    assert suppression_of(alert_of(1, evidence=SEEN), SAID, "UTC", Suppressions(enabled=False)) is None


@pytest.mark.parametrize(
    ("zone", "hours", "period"),
    [
        ("UTC", 3, Period(from_="21:00", until="03:00")),
        ("Europe/Berlin", 1.5, Period(from_="23:30", until="02:30")),
        ("UTC", 12, Period()),
    ],
)
def test_hours_are_those_of_the_site(zone: str, hours: float, period: Period) -> None:
    assert hours_around(1_767_225_600_000, zone, hours) == period


def test_who_may_takes_it_back_once(ready: Store) -> None:
    woken = []
    silences = Silences(ready, SILENCING, lambda: AT_MS + 5000, lambda: woken.append(1))
    say(ready, "alert-1", "false", AT_MS + 1000)
    (row,) = silences.running(ANNA)
    assert silences.of_alert("alert-1") == row
    assert silences.running(Who("hal", "operator", frozenset(["elsewhere"]))) == []
    with pytest.raises(ForbiddenError):
        silences.lift(ANNA, row.body.id)
    with pytest.raises(NoSuppressionError):
        silences.lift(Who("hal", "supervisor", frozenset(["elsewhere"])), row.body.id)
    silences.lift(SUE, row.body.id)
    assert (silenced(ready), silences.running(ANNA), len(woken)) == ([["alert-1"], []], [], 1)
    with pytest.raises(NoSuppressionError):
        silences.lift(SUE, row.body.id)
    ended = next(one for one in ready.audit.page(limit=10) if one.action == "silence ended")
    assert (ended.who, ended.subject) == ("sue", "alert-1")


def test_over_is_over(ready: Store) -> None:
    say(ready, "alert-1", "false", AT_MS)
    later_ms = AT_MS + 15 * 86_400_000
    silences = Silences(ready, SILENCING, lambda: later_ms, list)
    assert (silences.running(ANNA), silences.of_alert("alert-1")) == ([], None)
    say(ready, "alert-2", "false", later_ms)
    assert silenced(ready)[-1] == ["alert-2"]


def test_while_an_answer_silences_its_alert_is_kept(ready: Store) -> None:
    say(ready, "alert-1", "false", AT_MS + 1000)
    over_ms = AT_MS + 1000 + 14 * 86_400_000
    assert ready.alerts.forget(2**60, over_ms - 1) == 5
    assert [one.body.alert for one in ready.suppressions.read(over_ms - 1)] == ["alert-1"]
    assert ready.alerts.forget(2**60, over_ms) == 1


def test_the_api_lists_and_lifts(parts, ada: Browser) -> None:
    take(parts.store, alert_of(20, camera="gate", evidence=SEEN))
    otto = signed_in(parts, ada, "otto", "operator")
    assert otto.post(
        "/api/alerts/alert-20/answers", json={"answer": {"action": "verdict", "verdict": "false"}}
    ).is_success
    (row,) = otto.get("/api/suppressions").json()["suppressions"]
    assert (row["camera"], row["operator"], row["body"]["alert"]) == ("gate", "otto", "alert-20")
    assert otto.delete(f"/api/suppressions/{row['body']['id']}").status_code == 403
    assert ada.delete(f"/api/suppressions/{row['body']['id']}").status_code == 204
    assert ada.delete(f"/api/suppressions/{row['body']['id']}").status_code == 404
    assert msgspec.json.decode(otto.get("/api/suppressions").content) == {"suppressions": []}
