"""Which pictures are in doubt, and for how long; and whose words those are."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.collection.doubted import Doubted, doubted_before, keep_doubted, standing, whose
from archive.collection.items import AGAIN, Item
from archive.collection.store import Collection
from archive.collection.when import DETECTOR, Learnt, keep_learnt
from archive.evidence.files import Folder
from tests.collection_tools import box, item

WHY = {"contradicted": 1.0}


def doubted(at_ms: int, since_ms: int, *pictures: str, of: str = DETECTOR) -> Doubted:
    return Doubted(of=of, at_ms=at_ms, since_ms=since_ms, doubts=dict.fromkeys(pictures, WHY))


def said(name: str, at_ms: int, **changes: object) -> Item:
    """A picture of which something was said then."""
    return item(name, 1, box(kind="background", by="anna", at_ms=at_ms), **changes)


@pytest.mark.parametrize(
    ("trainings", "in_doubt"),
    [
        ([doubted(100, 0, "a", "b")], {"a", "b"}),
        ([doubted(100, 0, "a"), doubted(200, 0)], set()),
        ([doubted(100, 0, "a"), doubted(200, 100)], {"a"}),
        ([doubted(100, 0, "a"), doubted(200, 100, "b")], {"a", "b"}),
        ([doubted(100, 0, "a"), doubted(200, 0, of="hard-hat")], {"a"}),
        ([doubted(100, 0, "gone")], set()),
    ],
    ids=[
        "the last training's",
        "a later one looked again and finds nothing",
        "a later one looked at newer words only",
        "each its own",
        "another model's training",
        "a picture that is gone",
    ],
)
def test_a_doubt_stands_until_a_training_of_that_model_looked_again(
    trainings: list[Doubted], in_doubt: set[str]
) -> None:
    items = [said("a", 50), said("b", 150)]
    assert standing(items, trainings).keys() == in_doubt


def test_what_somebody_looked_at_again_is_in_doubt_no_more() -> None:
    assert standing([said("a", 50, reasons=(AGAIN,))], [doubted(100, 0, "a")]) == {}


def test_both_kinds_of_models_doubts_are_kept(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    values = {"version": "v", "answers": 1, "candidate": "d@2", "passed": False, "why": "new answers"}
    keep_learnt(collection, Learnt(at_ms=200, since_ms=100, doubts={"a": WHY}, **values))
    keep_doubted(collection, doubted(100, 0, "b", of="hard-hat"))
    assert doubted_before(collection) == [doubted(100, 0, "b", of="hard-hat"), doubted(200, 100, "a")]


def test_whose_words_are_in_doubt() -> None:
    others = item("c", 1, box(kind="confirmed", by="bea"), box(), answered_by="anna")
    assert whose([said("a", 50), said("b", 50), others], {"a": 1, "c": 1}) == {"anna": 2, "bea": 1}
