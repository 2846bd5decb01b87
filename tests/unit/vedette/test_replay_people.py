"""Who is enrolled while video is replayed: what a folder of pictures becomes for the jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contracts import topics
from contracts.codec import decode
from contracts.config_file import parse
from contracts.errors import ConfigError
from contracts.people import FaceKey, GalleryChange, PersonSecret, SetPerson
from tests.console_process import CONFIG
from tests.people_tools import a_master, portrait
from vault import opened
from vedette.replay_people import ReplayPeople

DAY_MS = 86_400_000
SITE = parse(CONFIG)


def people(folder: Path | None) -> ReplayPeople:
    return ReplayPeople(SITE, Path("site.yaml"), folder)


def put(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_each_person_has_their_pictures_and_group_and_each_day_a_key(tmp_path: Path) -> None:
    for name in ("banned/Bea Winter.jpg", "banned/Bea Winter.2.jpg", "Carl.jpg"):
        put(tmp_path, name, portrait())
    master, known = a_master(), people(tmp_path)
    records = list(known._records(master, 3 * DAY_MS, 4 * DAY_MS))
    days = [decode(value, FaceKey).day for topic, _, value in records if topic == topics.FACE_KEYS]
    told = [decode(value, GalleryChange).change for topic, _, value in records if topic == topics.GALLERY]
    assert days == [3, 4]
    found = {}
    for change in told:
        assert isinstance(change, SetPerson)
        key = master.unwrap(change.wrapped, f"person/{change.id}")
        plain = opened(key, change.sealed, f"person/{change.id}".encode())
        secret = msgspec.msgpack.decode(plain, type=PersonSecret)
        found[secret.name] = (change.group, len(secret.vectors), known.name_of(change.id))
    assert found == {"Bea Winter": ("banned", 2, "Bea Winter"), "Carl": ("", 1, "Carl")}
    assert [one.id for one in told] == [one.id for one in map(changed, people(tmp_path)._records(master, 0, 0)) if one]


def changed(record: tuple[str, str, bytes]) -> SetPerson | None:
    topic, _, value = record
    change = decode(value, GalleryChange).change if topic == topics.GALLERY else None
    return change if isinstance(change, SetPerson) else None


def test_without_a_folder_nobody_is_enrolled_and_days_have_keys() -> None:
    nobody = people(None)
    assert (len(nobody), nobody.name_of("p-1")) == (0, "")
    assert [topic for topic, _, _ in nobody._records(a_master(), 0, 0)] == [topics.FACE_KEYS]


@pytest.mark.parametrize(
    ("prepared", "said"),
    [
        (lambda folder: None, "there are no pictures"),
        (lambda folder: put(folder, "a.jpg", b"no picture"), "can be read"),
        (lambda folder: put(folder, "a.png", portrait(16)), "no face|too small"),
    ],
    ids=["empty", "no picture", "no face to be known by"],
)
def test_what_will_not_do_is_said_with_the_file(tmp_path: Path, prepared: Callable[[Path], None], said: str) -> None:
    prepared(tmp_path)
    with pytest.raises(ConfigError, match=said) as error:
        people(tmp_path)
    assert error.value.path == "--gallery"
