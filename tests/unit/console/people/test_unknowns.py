"""Unknown people: who sees them, and what is said of them goes to the site's job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.parts import Parts
from console.people.enrolling import NewPerson
from console.people.errors import NobodyError
from console.people.sources import FromUnknown
from console.rights import ForbiddenError, Who
from contracts.people import ForgetUnknown, MergeUnknowns, SplitUnknown
from tests.people_tools import ANNA, OTTO, Clock, a_master, an_unknown, look, people_parts, told

HAL = Who("hal", "supervisor", frozenset({"hall"}))


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    clock = Clock()
    parts = people_parts(tmp_path, clock, a_master())
    parts.people.step(clock.now_ms)
    for pseudonym, number, cameras in (("u-1", 1, ("gate", "hall")), ("u-2", 2, ("gate",))):
        parts.people.unknown.take(an_unknown(parts, pseudonym, look(number), cameras))
    yield parts
    parts.store.close()


def test_each_sees_the_visits_of_their_cameras(parts: Parts) -> None:
    assert [(one.pseudonym, len(one.visits)) for one in parts.people.unknowns.all(ANNA)] == [("u-1", 2), ("u-2", 1)]
    assert [(one.pseudonym, len(one.visits)) for one in parts.people.unknowns.all(HAL)] == [("u-1", 1)]
    with pytest.raises(ForbiddenError):
        parts.people.unknowns.all(OTTO)


def test_merge_split_and_forget_are_commands_with_who_said_so(parts: Parts) -> None:
    said = (
        MergeUnknowns(keep="u-1", other="u-2"),
        SplitUnknown(pseudonym="u-1", tracks=("hall/live/1/1",)),
        ForgetUnknown(pseudonym="u-2"),
    )
    for command in said:
        parts.people.unknowns.say(ANNA, command)
    messages = told(parts, "people-commands")
    assert [one.command for one in messages] == list(said)
    assert {(one.by, one.site) for one in messages} == {("anna", "home")}
    assert len({one.id for one in messages}) == 3
    actions = [one.action for one in parts.store.audit.page()][:3]
    assert actions == ["forget unknown", "split unknown", "merge unknown"]


@pytest.mark.parametrize(
    "command",
    [
        MergeUnknowns(keep="u-1", other="u-1"),
        MergeUnknowns(keep="u-1", other="u-9"),
        SplitUnknown(pseudonym="u-1", tracks=()),
        SplitUnknown(pseudonym="u-1", tracks=("gate/live/1/0", "hall/live/1/1")),
        SplitUnknown(pseudonym="u-1", tracks=("elsewhere",)),
        ForgetUnknown(pseudonym="u-9"),
    ],
    ids=["with itself", "with nobody", "no visit", "all visits", "another's visit", "nobody"],
)
def test_what_makes_no_sense_is_refused(parts: Parts, command: MergeUnknowns | SplitUnknown | ForgetUnknown) -> None:
    with pytest.raises(NobodyError):
        parts.people.unknowns.say(ANNA, command)
    assert told(parts, "people-commands") == []


def test_who_sees_not_all_cameras_says_nothing(parts: Parts) -> None:
    with pytest.raises(ForbiddenError, match="all cameras"):
        parts.people.unknowns.say(HAL, ForgetUnknown(pseudonym="u-1"))


def test_a_name_makes_an_unknown_person_an_enrolled_one(parts: Parts) -> None:
    given = NewPerson(name="Bea", group="vip", source=FromUnknown("u-1"))
    detail = parts.people.enrolling.enrol(ANNA, given)
    assert [one.source for one in detail.pictures] == ["unknown/u-1"]
    assert [one.command for one in told(parts, "people-commands")] == [ForgetUnknown(pseudonym="u-1")]


def test_a_name_is_given_as_a_whole_or_not_at_all(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(parts.people.unknowns, "_send", fails)
    with pytest.raises(RuntimeError):
        parts.people.enrolling.enrol(ANNA, NewPerson(name="Bea", source=FromUnknown("u-1")))
    assert parts.people.register.people(ANNA) == []
    assert told(parts, "gallery") == [] or all("person" not in str(one.change) for one in told(parts, "gallery"))


def test_one_that_is_gone_is_no_longer_there(parts: Parts) -> None:
    gone = an_unknown(parts, "u-1", look(1))
    parts.people.unknown.take(replace(gone, gone=True))
    assert [one.pseudonym for one in parts.people.unknowns.all(ANNA)] == ["u-2"]
