"""The register: what is kept is sealed, what the jobs are told can be opened by them, what is removed is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from console.parts import Parts
from console.people.errors import NobodyError, PeopleOffError, RefusedPictureError
from console.people.sealing import half
from console.rights import ForbiddenError, Who
from console.store import find
from console.store.find import lets_through
from console.store.rows import Filter
from contracts.identity import RunnerUp
from contracts.messages import Alert
from contracts.people import ForgetUnknown, PersonSecret, RemovedPerson, SetDenial, SetPerson
from contracts.topics import DAY_MS, HOUR_MS
from stream.identity.cohort import NOBODY
from tests.console_tools import alert_of, person, take
from tests.people_tools import ANNA, OTTO, Clock, a_master, an_unknown, look, named_alert, people_parts, told
from tests.sighting_tools import MODEL
from vault import MasterKey, VaultError, opened

LONG = "Bea Lindqvist"
"""Nobody's key says that by chance: three letters are somewhere in what is sealed once in a few hundred runs."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def master() -> MasterKey:
    return a_master()


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, master: MasterKey) -> Iterator[Parts]:
    parts = people_parts(tmp_path, clock, master)
    parts.people.step(clock.now_ms)
    yield parts
    parts.store.close()


def enrol(parts: Parts, number: int = 1, name: str = "Bea", group: str = "banned") -> str:
    return parts.people.register.enrol(ANNA, name, group, look(number), source="upload").person.id


def test_the_jobs_can_open_what_they_are_told_and_nobody_else(parts: Parts, master: MasterKey) -> None:
    person_id = enrol(parts)
    (message,) = [one for one in told(parts, "gallery") if isinstance(one.change, SetPerson)]
    change = message.change
    key = master.unwrap(change.wrapped, f"person/{person_id}")
    secret = msgspec.msgpack.decode(opened(key, change.sealed, f"person/{person_id}".encode()), type=PersonSecret)
    assert (change.group, secret.name, secret.model) == ("banned", "Bea", MODEL)
    assert secret.vectors == (half(look(1).vector),)
    with pytest.raises(VaultError):
        a_master().unwrap(change.wrapped, f"person/{person_id}")


def test_nothing_readable_is_in_the_database(parts: Parts, tmp_path: Path) -> None:
    enrol(parts)
    parts.store.database.wipe(())
    data = b"".join(file.read_bytes() for file in (tmp_path / "console").iterdir())
    vector = look(1).vector
    assert half(vector) not in data
    assert vector.tobytes() not in data
    assert look(1).crop not in data


def test_pictures_come_and_go_and_each_change_has_a_higher_version(parts: Parts) -> None:
    person_id = enrol(parts)
    register = parts.people.register
    two = register.add_picture(ANNA, person_id, look(1, seed=2), source="alert/a-1")
    assert [one.source for one in two.pictures] == ["upload", "alert/a-1"]
    assert register.picture(ANNA, person_id, two.pictures[0].id) == look(1).crop
    register.change(ANNA, person_id, " Bea B. ", "staff")
    one = register.remove_picture(ANNA, person_id, two.pictures[0].id)
    assert (one.person.name, one.person.group, one.person.pictures) == ("Bea B.", "staff", 1)
    with pytest.raises(NobodyError, match="only picture"):
        register.remove_picture(ANNA, person_id, one.pictures[0].id)
    versions = [one.version for one in told(parts, "gallery") if isinstance(one.change, SetPerson)]
    assert len(versions) == 4
    assert versions == sorted(set(versions))


def test_somebody_who_is_enrolled_already_is_refused_unless_one_is_sure(parts: Parts) -> None:
    person_id = enrol(parts)
    register = parts.people.register
    with pytest.raises(RefusedPictureError) as refused:
        register.enrol(ANNA, "Somebody else", "", look(1, seed=5), source="upload")
    assert (refused.value.refusal.reason, refused.value.refusal.person_id) == ("someone_else", person_id)
    register.enrol(ANNA, "Her twin", "", look(1, seed=5), source="upload", sure=True)
    assert [one.name for one in register.people(ANNA)] == ["Bea", "Her twin"]
    register.enrol(ANNA, "Carl", "staff", look(2), source="upload")
    assert [one.name for one in register.people(ANNA, "STAFF")] == ["Carl"]


@pytest.mark.parametrize(
    ("who", "why"),
    [(OTTO, "may not"), (Who("hal", "supervisor", frozenset({"hall"})), "does not see all cameras")],
    ids=["an operator", "a supervisor of one camera"],
)
def test_who_may_not_enrol_may_not(parts: Parts, who: Who, why: str) -> None:
    person_id = enrol(parts)
    for attempt in (
        lambda: parts.people.register.enrol(who, "X", "", look(4), source="upload"),
        lambda: parts.people.register.change(who, person_id, "X", ""),
        lambda: parts.people.register.remove(who, person_id),
    ):
        with pytest.raises(ForbiddenError, match=why):
            attempt()
    assert [one.name for one in parts.people.register.people(ANNA)] == ["Bea"]


def test_without_a_master_key_nobody_is_enrolled_and_it_is_said_how(tmp_path: Path, clock: Clock) -> None:
    parts = people_parts(tmp_path, clock)
    parts.people.step(clock.now_ms)
    with pytest.raises(PeopleOffError, match="vedette faces key"):
        parts.people.register.enrol(ANNA, "Bea", "", look(1), source="upload")
    standing = parts.people.standing()
    assert not standing.on
    assert "VEDETTE_MASTER_KEY" in standing.fault
    assert told(parts, "face-keys") == []
    parts.store.close()


def test_another_master_key_is_said_to_be_another(tmp_path: Path, clock: Clock, parts: Parts) -> None:
    again = people_parts(tmp_path, clock, a_master())
    again.people.step(clock.now_ms)
    assert "not the one" in again.people.standing().fault
    again.store.close()


def test_a_removed_person_is_gone_from_jobs_and_alerts(parts: Parts, tmp_path: Path) -> None:
    person_id = enrol(parts, name=LONG)
    alert = named_alert(parts, person_id, look(1, seed=3))
    take(parts.store, alert, alert_of(5))
    assert shown(parts, alert) == (LONG, f"{LONG} came into the yard", f"{LONG} came into the yard")
    person(parts.store, "otto")
    denial = parts.people.saying.deny(OTTO, alert.id)
    wrapped = next(one.change.wrapped for one in told(parts, "gallery") if isinstance(one.change, SetPerson))

    parts.people.register.remove(ANNA, person_id)

    assert parts.people.register.people(ANNA) == []
    gone = [one.change for one in told(parts, "gallery") if isinstance(one.change, RemovedPerson)]
    assert {(one.kind, one.id) for one in gone} >= {("person", person_id), ("denial", denial.id)}
    assert not any(isinstance(one.change, SetPerson | SetDenial) for one in told(parts, "gallery"))  # not even unsent
    assert shown(parts, alert) == ("removed person", "removed person came into the yard", "")
    data = b"".join(file.read_bytes() for file in (tmp_path / "console").iterdir())
    assert LONG.encode() not in data  # nor in free pages or the log of writes
    assert wrapped not in data
    assert person_id.encode() in data  # it means nobody


def shown(parts: Parts, alert: Alert) -> tuple[str, str, str]:
    """Whom a kept alert names, what it says, and what that said first if a look at a face is still there."""
    body, (first, *_) = parts.store.alerts.body(alert.id), parts.store.alerts.history(alert.id)
    assert body is not None
    assert body.identity is not None
    row = parts.store.alerts.get(alert.id)
    assert row is not None
    assert row.why == body.why == first.why
    return body.identity.name, body.why, first.why if body.identity.sealed else ""


def test_who_is_called_otherwise_is_shown_so(parts: Parts) -> None:
    person_id = enrol(parts)
    alert = named_alert(parts, person_id, look(1))
    take(parts.store, alert)
    parts.people.register.change(ANNA, person_id, "Bea Winter", "banned")
    assert shown(parts, alert)[1] == "Bea Winter came into the yard"


def test_alerts_of_the_version_before_are_kept_without_names(parts: Parts, tmp_path: Path) -> None:
    person_id = enrol(parts)
    alert = named_alert(parts, person_id, look(1), why="Bea (banned) came into the yard")
    assert alert.identity is not None
    before = replace(alert, identity=replace(alert.identity, name="Bea", runners_up=(RunnerUp("other", "Carl", 0.3),)))
    take(parts.store, before)
    assert shown(parts, alert)[1] == "Bea (banned) came into the yard"
    parts.people.register.remove(ANNA, person_id)
    assert shown(parts, alert)[1] == "removed person (banned) came into the yard"
    data = b"".join(file.read_bytes() for file in (tmp_path / "console").iterdir())
    assert not re.search(b"Bea|Carl", data)


def test_an_alert_that_comes_after_the_removal_holds_no_look_either(parts: Parts) -> None:
    person_id = enrol(parts)
    alert = named_alert(parts, person_id, look(1))
    take(parts.store, alert)
    parts.people.register.remove(ANNA, person_id)
    take(parts.store, replace(alert, revision=2, state="end"))
    assert shown(parts, alert) == ("removed person", "removed person came into the yard", "")


def test_the_letters_of_an_id_are_no_name(parts: Parts) -> None:
    take(parts.store, named_alert(parts, "bea12345-0000-4000-8000-beabeabeabea", look(1)))
    assert parts.store.alerts.page(Filter(text="bea")).rows == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [("bea", [0]), ("bea yard", [0]), ("carl", [1]), ("bea carl", []), ("yard", [1, 0]), ("dora", [])],
)
def test_alerts_are_found_by_whom_they_are_about(parts: Parts, text: str, found: list[int]) -> None:
    for number, name in enumerate(("Bea Winter", "Carl")):
        take(parts.store, named_alert(parts, enrol(parts, number, name), look(number), number))
    page = parts.store.alerts.page(Filter(text=text))
    assert [row.id for row in page.rows] == [f"alert-{number}" for number in found]
    filter_live = Filter(text=text)
    assert {row.id for row in parts.store.alerts.page(Filter()).rows if lets_through(filter_live, row)} == {
        f"alert-{number}" for number in found
    }


@pytest.mark.parametrize(("few", "text"), [(3000, ""), (0, ""), (3000, "yard"), (0, "yard")])
def test_alerts_are_filtered_by_whom_they_are_about(
    parts: Parts, few: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "FEW_FOUND", few)
    people = [enrol(parts, number, name) for number, name in enumerate(("Bea Winter", "Carl"))]
    for number in range(6):
        take(parts.store, named_alert(parts, people[number % 2], look(number), number))
    wanted = Filter(persons=(people[1],), text=text)
    page = parts.store.alerts.page(wanted, limit=2)
    rest = parts.store.alerts.page(wanted, page.next, limit=2)
    assert [row.id for row in page.rows + rest.rows] == ["alert-5", "alert-3", "alert-1"]
    every = parts.store.alerts.page(Filter()).rows
    assert [row.id for row in every if lets_through(wanted, row)] == ["alert-5", "alert-3", "alert-1"]
    assert parts.store.alerts.page(Filter(persons=("nobody",))).rows == ()


def test_the_audit_never_holds_a_name(parts: Parts) -> None:
    person_id = enrol(parts, name="Unforgettable")
    parts.people.register.change(ANNA, person_id, "Unforgotten", "staff")
    parts.people.register.remove(ANNA, person_id)
    entries = parts.store.audit.page()
    assert [one.action for one in entries] == ["remove person", "change person", "enrol"]
    assert not any("Unforg" in one.details + one.subject for one in entries)


def test_a_gallery_of_thousands_is_opened_once(parts: Parts) -> None:
    for number in range(3):
        enrol(parts, number, f"P{number}")
    enrolled = parts.people.register._enrolled
    first = enrolled.gallery(MODEL, NOBODY)
    assert enrolled.gallery(MODEL, NOBODY) is first
    parts.people.register.change(ANNA, first.people[0].id, "Renamed", "")
    assert enrolled.gallery(MODEL, NOBODY).people[-1].name == "Renamed"
    assert np.isclose(float(first.vectors[1] @ look(1).vector), 1, atol=1e-3)


RETENTION = """
faces:
  retention:
    groups: {banned: {enrolled_days: 30}}
    unknown: {seen_days: 2}
"""


def test_a_group_s_people_go_by_themselves_when_its_time_is_over(
    tmp_path: Path, clock: Clock, master: MasterKey
) -> None:
    parts = people_parts(tmp_path, clock, master, more=RETENTION)
    parts.people.step(clock.now_ms)
    parts.people.unknown.take(an_unknown(parts, "u-1", look(4)))
    banned, staff = enrol(parts), enrol(parts, 2, "Carl", "staff")
    shown = {one.id: one.until_ms for one in parts.people.register.people(ANNA)}
    assert shown == {banned: clock.now_ms + 30 * DAY_MS, staff: 0}
    clock.now_ms += 30 * DAY_MS - 1
    parts.people.step(clock.now_ms)
    assert len(parts.people.register.people(ANNA)) == 2
    clock.now_ms += HOUR_MS
    parts.people.step(clock.now_ms)
    assert [one.id for one in parts.people.register.people(ANNA)] == [staff]
    assert RemovedPerson(kind="person", id=banned) in [one.change for one in told(parts, "gallery")]
    said = next(one for one in parts.store.audit.page() if one.action == "remove person")
    assert (said.who, said.subject, said.details) == ("", f"person/{banned}", '{"why": "retention"}')
    forgotten = {one.command for one in told(parts, "people-commands")}
    assert forgotten == {ForgetUnknown(pseudonym="u-1")}
    parts.store.close()


def test_a_removal_that_is_due_and_fails_is_tried_again_at_once(
    tmp_path: Path, clock: Clock, master: MasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = people_parts(tmp_path, clock, master, more=RETENTION)
    parts.people.step(clock.now_ms)
    enrol(parts)
    clock.now_ms += 31 * DAY_MS
    with monkeypatch.context() as patched:
        patched.setattr(parts.store.alerts, "unseal", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            parts.people.step(clock.now_ms)
    parts.people.step(clock.now_ms + 1000)
    assert parts.people.register.people(ANNA) == []
    parts.store.close()
