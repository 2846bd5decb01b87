"""The vault: what is sealed opens with its key, its name and its day only."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.people import FaceKey
from vault import DayKeys, Key, MasterKey, VaultError, day_of, key_name, master_key, new_key, opened, sealed, sealed_day

AT_MS = 1_767_571_200_123
KEY = Key(bytes(range(32)))


@given(st.binary(max_size=600), st.binary(max_size=40))
def test_what_is_sealed_opens_again(plain: bytes, about: bytes) -> None:
    assert opened(KEY, sealed(KEY, plain, about), about) == plain


@pytest.mark.parametrize("place", [0, 5, 12, 20, -1], ids=["nonce", "nonce", "text", "text", "tag"])
def test_a_changed_byte_is_noticed(place: int) -> None:
    data = bytearray(sealed(KEY, b"somebody's face", b"about"))
    data[place] ^= 1
    with pytest.raises(VaultError, match="about: can't be opened"):
        opened(KEY, bytes(data), b"about")


def test_the_same_twice_looks_different_and_shows_nothing() -> None:
    first, second = sealed(KEY, bytes(64), b""), sealed(KEY, bytes(64), b"")
    assert first != second
    assert bytes(16) not in first


@pytest.mark.parametrize("data", [b"", b"short", bytes(27)])
def test_what_is_no_sealed_thing_is_refused(data: bytes) -> None:
    with pytest.raises(VaultError):
        opened(KEY, data, b"")


def test_a_wrapped_key_belongs_to_its_name_and_master() -> None:
    mine = master_key({"VEDETTE_MASTER_KEY": base64.b64encode(KEY).decode()})
    other = master_key({"VEDETTE_MASTER_KEY": base64.b64encode(new_key()).decode()})
    assert mine is not None
    assert other is not None
    key = new_key()
    wrapped = mine.wrap(key, "person/7")
    assert mine.unwrap(wrapped, "person/7") == key
    for wrong in (lambda: mine.unwrap(wrapped, "person/8"), lambda: other.unwrap(wrapped, "person/7")):
        with pytest.raises(VaultError):
            wrong()
    assert base64.b64encode(KEY).decode() not in repr(mine)


def test_the_master_key_comes_from_a_file_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(base64.b64encode(KEY).decode() + "\n")
    assert master_key({"VEDETTE_MASTER_KEY_FILE": str(file)}) is not None
    assert master_key({}) is None
    assert master_key({"VEDETTE_MASTER_KEY": ""}) is None


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"VEDETTE_MASTER_KEY": "not base64!"}, "VEDETTE_MASTER_KEY: is not base64"),
        ({"VEDETTE_MASTER_KEY": base64.b64encode(b"short").decode()}, "has 5 bytes instead of 32"),
        ({"VEDETTE_MASTER_KEY_FILE": "/nowhere/key"}, "can't be read"),
    ],
)
def test_what_is_no_master_key_is_said(environment: dict[str, str], says: str) -> None:
    with pytest.raises(VaultError, match=says):
        master_key(environment)


def test_a_days_key_opens_that_day_until_it_is_gone() -> None:
    keys = DayKeys("home")
    day = day_of(AT_MS)
    with pytest.raises(VaultError, match="not there"):
        keys.seal(AT_MS, b"x")
    keys.put(day, KEY)
    data = keys.seal(AT_MS, b"a look")
    assert sealed_day(data) == day
    assert keys.open(data) == b"a look"
    assert keys.days == (day,)
    keys.drop(day)
    with pytest.raises(VaultError, match="not there"):
        keys.open(data)


def test_a_day_of_another_site_or_another_day_opens_nothing() -> None:
    here, there = DayKeys("home"), DayKeys("away")
    for keys in (here, there):
        keys.put(day_of(AT_MS), KEY)
        keys.put(day_of(AT_MS) + 1, KEY)
    data = here.seal(AT_MS, b"a look")
    with pytest.raises(VaultError):
        there.open(data)
    moved = data[:4] + bytes([data[4] + 1]) + data[5:]
    with pytest.raises(VaultError):
        here.open(moved)


@pytest.mark.parametrize("data", [b"", b"\x01\0\0", b"\x02" + bytes(40)])
def test_what_no_day_sealed_is_said(data: bytes) -> None:
    with pytest.raises(VaultError, match="not sealed by a day's key"):
        sealed_day(data)


def test_the_keys_of_days_come_and_go_with_their_topic() -> None:
    master, key, days = MasterKey(new_key()), new_key(), DayKeys("home")
    wrapped = master.wrap(key, key_name("home", 20_458))
    days.take(FaceKey(site="elsewhere", day=20_458, wrapped=wrapped), master)
    assert days.days == ()
    days.take(FaceKey(site="home", day=20_458, wrapped=wrapped), master)
    assert days.open(days.seal(AT_MS, b"a face")) == b"a face"
    with pytest.raises(VaultError):
        days.take(FaceKey(site="home", day=20_457, wrapped=wrapped), master)  # another day's
    days.take(FaceKey(site="home", day=20_458), master)
    assert days.days == ()
