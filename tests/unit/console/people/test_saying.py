"""What operators say of a face: not this person, this is X, and that taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.answers import NoAlertError
from console.parts import Parts
from console.people import saying
from console.people.errors import NobodyError, RefusedPictureError
from console.people.sealing import half
from console.rights import ForbiddenError, Who
from contracts.people import RemovedPerson, SetDenial, SetPerson
from tests.console_tools import alert_of, take
from tests.people_tools import ANNA, OTTO, Clock, a_master, look, named_alert, people_parts, told
from vault import MasterKey, opened


@pytest.fixture
def master() -> MasterKey:
    return a_master()


@pytest.fixture
def parts(tmp_path: Path, master: MasterKey) -> Iterator[Parts]:
    clock = Clock()
    parts = people_parts(tmp_path, clock, master)
    parts.people.step(clock.now_ms)
    yield parts
    parts.store.close()


@pytest.fixture
def bea(parts: Parts) -> str:
    return parts.people.register.enrol(ANNA, "Bea", "banned", look(1), source="upload").person.id


def test_a_denial_carries_the_alerts_look_under_the_persons_key(parts: Parts, bea: str, master: MasterKey) -> None:
    look_alike = look(1, 0.6, seed=9)
    take(parts.store, named_alert(parts, bea, look_alike))
    denied = parts.people.saying.deny(OTTO, "alert-0")
    (message,) = [one for one in told(parts, "gallery") if isinstance(one.change, SetDenial)]
    assert (message.change.id, message.change.person_id) == (denied.id, bea)
    wrapped = next(one.change.wrapped for one in told(parts, "gallery") if isinstance(one.change, SetPerson))
    key = master.unwrap(wrapped, f"person/{bea}")
    assert opened(key, message.change.sealed, f"denial/{denied.id}".encode()) == half(look_alike.vector)
    (feedback,) = told(parts, "feedback")
    assert (feedback.action, feedback.operator, feedback.person_id) == ("not_person", "otto", bea)
    assert (feedback.identity.person_id, feedback.identity.score) == (bea, 0.71)
    assert not re.search("Bea|Carl", str(feedback))  # kept for a year, whoever is removed meanwhile
    assert feedback.evidence is not None
    assert parts.people.saying.deny(OTTO, "alert-0") == denied  # once more changes nothing
    assert [one.id for one in parts.people.register.detail(ANNA, bea).denials] == [denied.id]
    assert [one.action for one in parts.store.answers.of("alert-0")] == ["not_person"]


def test_denials_of_one_person_are_bounded(parts: Parts, bea: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saying, "MAX_DENIALS", 2)
    take(parts.store, *(named_alert(parts, bea, look(1, seed=number), number) for number in range(3)))
    denied = [parts.people.saying.deny(OTTO, f"alert-{number}") for number in range(3)]
    assert [one.id for one in parts.people.register.detail(ANNA, bea).denials] == [one.id for one in denied[1:]]
    gone = [one.change.id for one in told(parts, "gallery") if isinstance(one.change, RemovedPerson)]
    assert denied[0].id in gone


def test_a_denial_is_taken_back(parts: Parts, bea: str) -> None:
    take(parts.store, named_alert(parts, bea, look(1, seed=9)))
    denied = parts.people.saying.deny(OTTO, "alert-0")
    parts.people.saying.undo(OTTO, bea, denied.id)
    last = told(parts, "gallery")[-1]
    assert last.change == RemovedPerson(kind="denial", id=denied.id)
    assert last.version > next(one.version for one in told(parts, "gallery") if isinstance(one.change, SetDenial))
    assert parts.people.register.detail(ANNA, bea).denials == ()
    assert [one.action for one in parts.store.answers.of("alert-0")] == ["not_person", "denial_undone"]
    with pytest.raises(NobodyError):
        parts.people.saying.undo(OTTO, bea, denied.id)


def test_this_is_adds_a_look_and_says_so(parts: Parts, bea: str) -> None:
    take(parts.store, named_alert(parts, "", look(1, 0.75, seed=4)))
    detail = parts.people.saying.this_is(ANNA, "alert-0", bea)
    assert [one.source for one in detail.pictures] == ["upload", "alert/alert-0"]
    (feedback,) = told(parts, "feedback")
    assert (feedback.action, feedback.person_id, feedback.alert) == ("is_person", bea, "alert-0")
    with pytest.raises(RefusedPictureError, match="enrolled already"):
        parts.people.saying.this_is(ANNA, "alert-0", bea)


def test_what_operators_say_is_counted(parts: Parts, bea: str) -> None:
    take(parts.store, named_alert(parts, bea, look(1, seed=9)), named_alert(parts, "", look(1, 0.75, seed=4), 1))
    denied = parts.people.saying.deny(OTTO, "alert-0")
    parts.people.saying.deny(OTTO, "alert-0")  # once more is no second word
    parts.people.saying.undo(OTTO, bea, denied.id)
    parts.people.saying.this_is(ANNA, "alert-1", bea)
    answers = ("not_person", "denial_undone", "is_person")
    counts = [parts.registry.get_sample_value("vedette_identity_answers_total", {"answer": one}) for one in answers]
    assert counts == [1, 1, 1]


def test_this_is_somebody_else_is_refused(parts: Parts, bea: str) -> None:
    carl = parts.people.register.enrol(ANNA, "Carl", "", look(2), source="upload").person.id
    take(parts.store, named_alert(parts, "", look(1, seed=4)))
    with pytest.raises(RefusedPictureError, match="too like Bea"):
        parts.people.saying.this_is(ANNA, "alert-0", carl)
    assert parts.people.saying.this_is(ANNA, "alert-0", carl, sure=True).person.pictures == 2


def test_an_alert_that_names_nobody_or_can_not_be_read_any_more_can_not_be_denied(parts: Parts, bea: str) -> None:
    old = named_alert(parts, bea, look(1), 2)
    take(parts.store, alert_of(1), old, named_alert(parts, "p-gone", look(1), 3))
    for day in parts.people.days.keys.days:
        parts.people.days.keys.drop(day)
    for alert, why in (("alert-1", "names nobody"), ("alert-2", "can't be read any more")):
        with pytest.raises(NobodyError, match=why):
            parts.people.saying.deny(OTTO, alert)


def test_a_person_who_is_not_enrolled_can_not_be_denied(parts: Parts) -> None:
    take(parts.store, named_alert(parts, "p-gone", look(1)))
    with pytest.raises(NobodyError, match="not enrolled"):
        parts.people.saying.deny(OTTO, "alert-0")


def test_only_who_sees_the_camera_and_may_answer_says_anything(parts: Parts, bea: str) -> None:
    take(parts.store, named_alert(parts, bea, look(1, seed=9)))
    with pytest.raises(NoAlertError):
        parts.people.saying.deny(Who("hal", "operator", frozenset({"hall"})), "alert-0")
    with pytest.raises(ForbiddenError):
        parts.people.saying.deny(Who("vera", "viewer"), "alert-0")
    with pytest.raises(ForbiddenError):
        parts.people.saying.this_is(OTTO, "alert-0", bea)
