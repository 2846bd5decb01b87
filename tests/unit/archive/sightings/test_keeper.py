"""What the topics say becomes what is kept: sightings come, days go with their keys, people with their removal."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from archive.sightings import Query, Search
from archive.sightings.folder import SightingsFolder
from archive.sightings.keeper import Keeper
from bus.consuming import Record
from contracts.codec import encode
from contracts.config import FaceRetention, Faces, KeptClass, KeptGroup
from contracts.identity import RunnerUp
from contracts.people import FaceKey, GalleryChange, RemovedPerson, SetPerson
from contracts.topics import DAY_MS
from tests.sighting_tools import DAY, MODEL, T0_MS, directions, sighting
from vault import DayKeys, MasterKey, key_name, new_key

MASTER = MasterKey(new_key())
RETENTION = FaceRetention(groups={"staff": KeptGroup(seen_days=1)}, unknown=KeptClass(seen_days=3))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Keeper, DayKeys, Path]:
    keys = DayKeys("site")
    folder = SightingsFolder(tmp_path, keys)
    keeper = Keeper(
        "", folder, keys, MASTER, faces=Faces(retention=RETENTION), clock=lambda: T0_MS, stop=threading.Event()
    )
    keeper.take_key(record(FaceKey(site="site", day=DAY, wrapped=MASTER.wrap(new_key(), key_name("site", DAY)))))
    return keeper, keys, tmp_path


def record(message: object) -> Record:
    return Record("topic", 0, 0, 0, b"key", message if isinstance(message, bytes) else encode(message))


def tracks(root: Path, keys: DayKeys, person: np.ndarray) -> list[str]:
    found = Search(root, keys).find(Query(person, MODEL, frozenset({"gate"}), least=0.9))
    return [one.sighting.track for one in found]


def test_sightings_are_kept_and_what_is_none_is_passed_over(kept) -> None:
    keeper, keys, root = kept
    (person,) = directions(1, np.random.default_rng(1))
    keeper.take([record(b"junk"), record(sighting(1, person, keys)), record(sighting(2, person, keys, site="other"))])
    assert tracks(root, keys, person) == ["gate/live/1/1"]


def test_a_day_goes_with_its_key_and_stays_away(kept) -> None:
    keeper, keys, root = kept
    (person,) = directions(1, np.random.default_rng(1))
    one = sighting(1, person, keys)
    keeper.take([record(one)])
    keeper.take_key(record(FaceKey(site="elsewhere", day=DAY)))
    assert list(root.iterdir())
    keeper.take_key(record(FaceKey(site="site", day=DAY)))
    assert keys.days == ()
    keeper.take([record(one)])  # the topic still has it
    assert not list(root.iterdir())


def test_the_key_under_another_master_opens_nothing(kept) -> None:
    keeper, keys, _ = kept
    other = MasterKey(new_key()).wrap(new_key(), key_name("site", DAY + 1))
    keeper.take_key(record(FaceKey(site="site", day=DAY + 1, wrapped=other)))
    assert keys.days == (DAY,)


def test_a_removed_person_s_sightings_go(kept) -> None:
    keeper, keys, root = kept
    one, two = directions(2, np.random.default_rng(1))
    keeper.take([record(sighting(n, v, keys, person_id=f"p-{n}")) for n, v in ((1, one), (2, two))])
    change = RemovedPerson(kind="person", id="p-1")
    keeper.take_person(record(GalleryChange(site="elsewhere", version=1, change=change)))
    keeper.forget()
    assert tracks(root, keys, one) == ["gate/live/1/1"]
    keeper.take_person(record(GalleryChange(site="site", version=1, change=change)))
    keeper.forget()
    assert tracks(root, keys, one) == []
    assert tracks(root, keys, two) == ["gate/live/1/2"]
    keeper.take([record(sighting(3, one, keys, person_id="p-1"))])  # was on its way
    assert tracks(root, keys, one) == []


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (0.9, {"staff", "banned", "unknown"}),
        (1.1, {"banned", "unknown"}),
        (2.9, {"banned", "unknown"}),
        (3.1, {"banned"}),
    ],
)
def test_each_class_of_people_is_kept_for_its_time(kept, days: float, left: set[str]) -> None:
    """The day of the sightings ended so many days ago; of `banned` the config says nothing."""
    keeper, keys, root = kept
    seen = dict(zip(("staff", "banned", "unknown"), directions(3, np.random.default_rng(1)), strict=True))
    for number, (group, vector) in enumerate(seen.items()):
        person = "" if group == "unknown" else group
        if person:
            enrolled = SetPerson(id=person, group=group, wrapped=b"", sealed=b"")
            keeper.take_person(record(GalleryChange(site="site", version=1, change=enrolled)))
        keeper.take([record(sighting(number, vector, keys, person_id=person))])
    keeper.age((DAY + 1) * DAY_MS + round(days * DAY_MS))
    assert {group for group, vector in seen.items() if tracks(root, keys, vector)} == left


def test_no_name_is_kept(kept) -> None:
    keeper, keys, root = kept
    (person,) = directions(1, np.random.default_rng(1))
    keeper.take([record(sighting(1, person, keys, runners_up=(RunnerUp("p-1", "Unforgettable", 0.3),)))])
    assert tracks(root, keys, person) == ["gate/live/1/1"]
    assert not any(b"Unforgettable" in file.read_bytes() for file in root.rglob("*") if file.is_file())
