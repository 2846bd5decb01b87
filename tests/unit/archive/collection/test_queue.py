"""Which pictures are worth a label: why, how many, and from where."""

from __future__ import annotations

import pytest

from archive.collection.items import Item
from archive.collection.queue import judged, queue
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("picture", "reasons"),
    [
        (item("a"), set()),
        (item("a", AT_MS, box(confidence=1.0)), set()),
        (item("a", AT_MS, box(confidence=0.3)), {"uncertain"}),
        (item("a", AT_MS, box(confidence=1.0), agreement=0.5), {"models disagree"}),
        (item("a", AT_MS, box(confidence=1.0, label="dog")), {"first dog of gate"}),
        (item("a", AT_MS, box(100, "background"), box(101, confidence=1.0)), {"answer in doubt"}),
    ],
    ids=["nothing in it", "sure", "unsure", "disagreeing", "first of its kind", "models see what an operator denied"],
)
def test_why_a_picture_is_worth_a_label(picture: Item, reasons: set[str]) -> None:
    assert set(judged(picture, {("gate", "person")})) == reasons


def test_the_queue_is_bounded_and_spread_over_cameras_and_hours() -> None:
    by_day = [item(f"d{n}", AT_MS + 12 * HOUR_MS + n, box(confidence=0.5)) for n in range(20)]
    by_night = [item(f"n{n}", AT_MS + n, box(confidence=0.3)) for n in range(3)]
    elsewhere = [item(f"e{n}", AT_MS + n, box(confidence=0.2), camera="door") for n in range(3)]
    wanted = queue([*by_day, *by_night, *elsewhere], 10)
    assert len(wanted) == 10
    assert {one.sha256[0] for one in wanted[:3]} == {"d", "n", "e"}, "one of each first"
    assert [one.reasons for one in wanted[8:]] == [("random review",)] * 2


def test_pictures_of_one_passage_are_not_all_asked_for() -> None:
    busy = [item(f"b{n}", AT_MS + 200 * n, box(confidence=0.5)) for n in range(20)]
    later = [item(f"l{n}", AT_MS + 60_000 * (n + 1), box(confidence=0.4)) for n in range(3)]
    asked = [one.sha256 for one in queue([*busy, *later], 5)][:4]
    assert sorted(asked, reverse=True) == ["l2", "l1", "l0", "b0"]
    (_, _, _, again) = [one.sha256 for one in queue([*busy, *later[:2]], 5)][:4]
    assert again == "b19", "the farthest from what was chosen"


def test_a_picture_of_many_doubts_comes_before_one_of_one() -> None:
    many = item("m", AT_MS, *(box(40 * n, confidence=0.3) for n in range(4)))
    one = item("o", AT_MS + 60_000, box(confidence=0.35))
    assert [wanted.sha256 for wanted in queue([one, many], 2)] == ["m", "o"]


def test_what_a_person_labelled_is_asked_for_no_more() -> None:
    assert queue([item("a", AT_MS, box(confidence=0.5), complete=True)], 10) == ()
