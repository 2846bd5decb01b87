"""Day keys: made ahead, told again and again, thrown away; and topics that are not as the database is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.parts import Parts
from console.people.days import AHEAD_DAYS, BEAT_MS
from contracts.people import FaceKey, GalleryChange, RemovedPerson, SetPerson, gallery_key
from contracts.topics import COMPACTED_WITHIN_MS, DAY_MS
from tests.people_tools import ANNA, Clock, a_master, look, people_parts, told
from vault import DayKeys, MasterKey, VaultError, day_of, key_name, new_key


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def master() -> MasterKey:
    return a_master()


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, master: MasterKey) -> Iterator[Parts]:
    parts = people_parts(tmp_path, clock, master)
    yield parts
    parts.store.close()


def sent(parts: Parts, topic: str) -> list:
    """What waits for the topic; it is sent then."""
    found = told(parts, topic)
    parts.store.answers.sent([one.number for one in parts.store.answers.unsent(10_000)])
    return found


def test_keys_are_there_a_week_ahead_and_the_jobs_can_use_them(parts: Parts, clock: Clock, master: MasterKey) -> None:
    parts.people.step(clock.now_ms)
    today = day_of(clock.now_ms)
    messages = sent(parts, "face-keys")
    assert [one.day for one in messages] == list(range(today, today + AHEAD_DAYS + 1))
    jobs = DayKeys("home")
    for one in messages:
        jobs.take(one, master)
    sealed = jobs.seal(clock.now_ms, b"a look")
    assert parts.people.days.keys.open(sealed) == b"a look"


def test_the_topics_get_a_record_often_enough_to_be_compacted(parts: Parts, clock: Clock) -> None:
    assert 2 * BEAT_MS <= COMPACTED_WITHIN_MS
    beats = 0
    for _ in range(0, COMPACTED_WITHIN_MS, 60_000):
        parts.people.step(clock.now_ms)
        beats += bool(sent(parts, "gallery"))
        clock.now_ms += 60_000
    assert beats == COMPACTED_WITHIN_MS // BEAT_MS


def test_a_key_is_thrown_away_when_its_time_is_over(parts: Parts, clock: Clock) -> None:
    parts.people.step(clock.now_ms)
    sealed = parts.people.days.keys.seal(clock.now_ms, b"a look")
    today = day_of(clock.now_ms)
    clock.now_ms = (today + 1) * DAY_MS + 30 * DAY_MS - 1
    parts.people.step(clock.now_ms)
    assert parts.people.days.keys.open(sealed) == b"a look"
    sent(parts, "face-keys")
    clock.now_ms += 1
    parts.people.step(clock.now_ms)
    with pytest.raises(VaultError):
        parts.people.days.keys.open(sealed)
    assert FaceKey(site="home", day=today) in sent(parts, "face-keys")
    with parts.store.database.read() as connection:
        assert parts.store.people.key(connection, key_name("home", today)) is None


def test_a_console_that_comes_back_has_the_same_keys(
    parts: Parts, tmp_path: Path, clock: Clock, master: MasterKey
) -> None:
    parts.people.step(clock.now_ms)
    sealed = parts.people.days.keys.seal(clock.now_ms, b"a look")
    again = people_parts(tmp_path, clock, master)
    again.people.step(clock.now_ms)
    assert again.people.days.keys.open(sealed) == b"a look"
    again.store.close()


def test_a_new_broker_is_told_everything_and_one_that_knows_it_nothing(parts: Parts) -> None:
    detail = parts.people.register.enrol(ANNA, "Bea", "", look(1), source="upload")
    first = sent(parts, "gallery")
    parts.people.feed.reconcile({}, [])
    again = sent(parts, "gallery")
    assert [one.change.id for one in again] == [detail.person.id]
    parts.people.feed.reconcile({gallery_key(one.change): one for one in first}, [])
    assert sent(parts, "gallery") == []


def test_whom_the_database_does_not_have_is_removed_from_the_topic(parts: Parts) -> None:
    stranger = SetPerson(id="p-9", group="", wrapped=b"w", sealed=b"s")
    parts.people.feed.reconcile({"person/p-9": GalleryChange(site="home", version=5, change=stranger)}, [])
    (message,) = sent(parts, "gallery")
    assert message.change == RemovedPerson(kind="person", id="p-9")
    assert message.version > 5


def test_days_keys_of_a_lost_database_are_taken_over(parts: Parts, clock: Clock, master: MasterKey) -> None:
    before, key = DayKeys("home"), new_key()
    day = day_of(clock.now_ms)
    before.put(day, key)
    sealed = before.seal(clock.now_ms, b"a look")
    old = FaceKey(site="home", day=day - 40, wrapped=master.wrap(new_key(), key_name("home", day - 40)))
    kept = FaceKey(site="home", day=day, wrapped=master.wrap(key, key_name("home", day)))
    parts.people.feed.reconcile({}, [old, kept])
    assert parts.people.days.keys.open(sealed) == b"a look"
    assert sent(parts, "face-keys") == [FaceKey(site="home", day=day - 40)]


def test_under_another_master_key_nothing_is_made_and_nothing_thrown_away(
    parts: Parts, tmp_path: Path, clock: Clock, master: MasterKey
) -> None:
    parts.people.step(clock.now_ms)
    made = sent(parts, "face-keys")
    clock.now_ms += 3 * DAY_MS
    wrong = people_parts(tmp_path, clock, a_master())
    wrong.people.step(clock.now_ms)
    assert "not the one" in wrong.people.standing().fault
    assert sent(wrong, "face-keys") == made
    wrong.store.close()
    right = people_parts(tmp_path, clock, master)
    right.people.step(clock.now_ms)
    assert right.people.standing().on
    right.store.close()


def test_a_key_of_another_master_in_the_topic_is_left_alone(parts: Parts, clock: Clock) -> None:
    name = key_name("home", day_of(clock.now_ms))
    other = FaceKey(site="home", day=day_of(clock.now_ms), wrapped=a_master().wrap(new_key(), name))
    parts.people.feed.reconcile({}, [other])
    assert sent(parts, "face-keys") == []
