"""What is trained on and what is measured with: no passage and no near duplicates on both sides."""

from __future__ import annotations

import pytest

from archive.collection.splits import PASSAGE_MS, Moment, groups, split, without
from tests.collection_tools import item
from tests.evidence_tools import AT_MS

PASSAGES = [item(f"{p}-{n}", AT_MS + p * 10 * PASSAGE_MS + n * 1000) for p in range(40) for n in range(3)]


def test_a_passage_is_on_one_side() -> None:
    train, measure = split(PASSAGES, 0.25)
    assert len(train) + len(measure) == len(PASSAGES)
    assert {one.sha256.split("-")[0] for one in train}.isdisjoint(one.sha256.split("-")[0] for one in measure)
    assert 15 <= len(measure) <= 50


def test_near_duplicates_are_on_one_side_wherever_they_come_from() -> None:
    alike = {f"{p}-0": "a" for p in range(40)}
    train, measure = split(PASSAGES, 0.5, alike)
    assert not train or not measure, "all passages hang together"


def test_a_group_stays_on_its_side_when_more_comes() -> None:
    before = split(PASSAGES, 0.25)
    after = split([*PASSAGES, item("new", PASSAGES[2].captured_at_ms + 1000), item("other", AT_MS + 10**9)], 0.25)
    for side, grown in zip(before, after, strict=True):
        assert {one.sha256 for one in side} <= {one.sha256 for one in grown}


@pytest.mark.parametrize(
    ("gap_ms", "camera", "count"), [(PASSAGE_MS, "gate", 1), (PASSAGE_MS + 1, "gate", 2), (1, "door", 2)]
)
def test_a_passage_ends_with_a_gap_or_the_camera(gap_ms: int, camera: str, count: int) -> None:
    assert len(groups([item("a"), item("b", AT_MS + gap_ms, camera=camera)], {})) == count


def test_something_is_always_trained_on() -> None:
    assert [len(side) for side in split([item("a")], 1.0)] == [1, 0]


def test_a_passage_of_a_frozen_picture_is_not_trained_on() -> None:
    left = without(PASSAGES, {"3-1"})
    assert {one.sha256 for one in PASSAGES} - {one.sha256 for one in left} == {"3-0", "3-1", "3-2"}


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        (Moment("home", "gate", AT_MS + 50_000), {"far"}),
        (Moment("", "gate", AT_MS + 50_000), {"far"}),
        (Moment("home", "door", AT_MS + 50_000), {"before", "after", "far"}),
        (Moment("other", "gate", AT_MS + 50_000), {"before", "after", "far"}),
        (Moment("home", "gate", AT_MS - 9 * PASSAGE_MS), {"before", "after", "far"}),
    ],
    ids=["its passage", "no site named", "another camera", "another site", "another time"],
)
def test_a_frozen_picture_that_retention_took_keeps_its_passage(moment: Moment, left: set[str]) -> None:
    """The two beside it are further from each other than pictures of a passage, but not from it."""
    items = [item("before"), item("after", AT_MS + 100_000), item("far", AT_MS + 9 * PASSAGE_MS)]
    assert {one.sha256 for one in without(items, {"gone"}, {}, {"gone": moment})} == left
