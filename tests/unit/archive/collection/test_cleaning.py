"""What is worth a second look: broken pictures, near duplicates, labels that models contradict."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from archive.collection.cleaning import (
    BADLY_PLACED,
    OVERLOOKED,
    alike_in,
    clean,
    doubts,
    found_before,
    near_duplicates,
    words,
)
from archive.collection.duplicates import groups
from archive.collection.items import Item
from archive.collection.queue import queue
from archive.collection.splits import split
from archive.collection.store import Collection
from archive.evidence.files import Folder
from tests.builders import jpeg_of
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

ROOM = np.random.default_rng(1).integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
OTHER = np.random.default_rng(2).integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)


def test_near_duplicates_look_alike_and_show_the_same() -> None:
    shown = {"a": ROOM, "b": ROOM + np.uint8(2), "c": ROOM, "d": OTHER, "e": ROOM}
    items = [
        item("a", AT_MS, box(20, "confirmed")),
        item("b", AT_MS, box(21, "confirmed")),
        item("c", AT_MS, box(90, "confirmed")),
        item("d", AT_MS, box(20, "confirmed")),
        item("e", AT_MS, box(20, "background")),
    ]
    assert near_duplicates(items, lambda one: shown[one.sha256]) == [("a", "b")]


def test_who_is_alike_is_a_group_whatever_the_order_and_the_size_of_it() -> None:
    draw = np.random.default_rng(3)
    scenes = draw.integers(0, 2**63, 20, dtype=np.uint64)[draw.integers(0, 20, 400)]
    prints = scenes ^ (np.uint64(1) << draw.integers(0, 64, 400).astype(np.uint64))
    given = ["" if n % 10 else f"passage {n % 3}" for n in range(400)]
    near = np.bitwise_count(prints[:, None] ^ prints[None]) <= 1
    told = np.array(given)
    near |= (told[:, None] == told[None]) & (told != "")[None]
    expected = np.arange(400)
    for _ in range(400):
        expected = np.where(near, expected[None], 400).min(1)
    assert groups(prints, most_bits=1, given=given).tolist() == expected.tolist()
    assert len(set(expected.tolist())) > 20


def test_near_duplicates_of_different_days_are_never_on_both_sides() -> None:
    days = [item(f"{n}", AT_MS + n * 86_400_000, box(20 + n % 2)) for n in range(30)]
    alike = near_duplicates(days, lambda _: ROOM)
    for share in (0.1, 0.3, 0.7):
        train, measure = split(days, share, words(alike))
        assert not train or not measure


def test_an_empty_room_does_not_tie_the_passages_of_its_camera_together() -> None:
    empty = [item(f"{n}", AT_MS + n * 86_400_000) for n in range(30)]
    assert near_duplicates(empty, lambda _: ROOM) == []


def test_near_duplicates_are_known_without_a_cleaning(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    first, second, other = (collection.keep_picture(jpeg_of(room)) for room in (ROOM, ROOM + np.uint8(2), OTHER))
    items = [item(name, AT_MS, box(20, "confirmed")) for name in (first, second, other, "gone")]
    assert alike_in(collection, items) == {first: first, second: first}


@pytest.mark.training
@pytest.mark.parametrize(
    ("picture", "reasons"),
    [
        (item("a", AT_MS, box(20, "confirmed"), box(20, confidence=0.95)), set()),
        (item("a", AT_MS, box(20, "confirmed"), box(38, confidence=0.95)), {BADLY_PLACED}),
        (item("a", AT_MS, box(20, "confirmed"), box(20, confidence=0.9), box(120, confidence=0.99)), set()),
        (
            item("a", AT_MS, box(20, "confirmed"), box(20, confidence=0.9), box(120, confidence=0.99), complete=True),
            {OVERLOOKED},
        ),
        (item("a", AT_MS, box(20, "background"), box(20, confidence=0.9)), set()),
    ],
    ids=["agreed", "beside it", "another, unlabelled", "another, of a whole labelled picture", "an answer: the queue"],
)
def test_which_labels_are_in_doubt(picture: Item, reasons: set[str]) -> None:
    sure = [item(f"s{n}", AT_MS, box(20, "confirmed"), box(20, confidence=0.95)) for n in range(5)]
    assert set(doubts([picture, *sure]).get("a", {})) == reasons


@pytest.mark.training
def test_what_was_found_is_kept_for_the_queue(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    name = collection.keep_picture(jpeg_of(ROOM))
    labelled = item(name, AT_MS, box(20, "confirmed"), box(120, confidence=0.99), complete=True)
    collection.commit([labelled, item("gone")], 0)
    found = clean(collection)
    assert found_before(collection) == found
    assert set(found.broken) == {"gone"}
    (wanted, *_) = queue([labelled], 5, found.doubts)
    assert (wanted.sha256, wanted.reasons) == (name, (OVERLOOKED,)) or OVERLOOKED in wanted.reasons


def test_pictures_are_not_all_held_at_once() -> None:
    held: list[weakref.ref[np.ndarray]] = []

    def picture_of(_: Item) -> np.ndarray:
        assert sum(one() is not None for one in held) <= 1
        picture = ROOM.copy()
        held.append(weakref.ref(picture))
        return picture

    assert len(near_duplicates([item(name, AT_MS, box(20)) for name in "abcde"], picture_of)) == 1
    assert len(held) == 5
