"""Which of people's words are contradicted: by a model that has learnt them, or by what was said before and after."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from archive.collection.items import AGAIN, Box, Item
from archive.collection.words import DOUBTED, counted, doubts, words
from contracts.manifest import Words
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS


def answered(name: str, kind: str, at_ms: int = AT_MS, x: float = 100, by: str = "anna", **changes: object) -> Item:
    """A picture of an alert about a person at x, answered a second later."""
    said = box(x, kind, by=by, alert=f"alert {name}", at_ms=at_ms + 1000)
    return item(name, at_ms, said, **{"answer": "true", "answered_by": by, "answered_at_ms": at_ms + 1000, **changes})


def labelled(name: str, at_ms: int, *xs: float, by: str = "bea") -> Item:
    """A picture of which a person labelled all."""
    drawn = [box(x, "confirmed", by=by) for x in xs]
    return item(name, at_ms, *drawn, complete=True, answered_by=by, answered_at_ms=at_ms + 1000)


def contradicted(items: Sequence[Item], *seen: Box, since_ms: int = 0) -> list[str]:
    """The pictures in which a word is contradicted by a model that sees these boxes in each."""
    told = words(items, {one.sha256 for one in items}, lambda _: seen, ["person"], since_ms)
    return sorted({name for word in told for name in word.contradicted})


SURE, UNSURE, ELSEWHERE = box(100, confidence=0.6), box(100, confidence=0.3), box(20, confidence=0.9)


@pytest.mark.parametrize(
    ("word", "seen", "wrong"),
    [
        (answered("a", "background"), [SURE], True),
        (answered("a", "background"), [UNSURE], False),
        (answered("a", "background"), [ELSEWHERE], False),
        (answered("a", "background"), [box(100, confidence=0.9, label="dog")], False),
        (answered("a", "confirmed"), [UNSURE], False),
        (answered("a", "confirmed"), [ELSEWHERE], True),
        (labelled("a", AT_MS), [SURE], True),
        (labelled("a", AT_MS), [UNSURE], False),
        (labelled("a", AT_MS, 102), [SURE], False),
        (labelled("a", AT_MS, 100), [], False),
    ],
    ids=[
        "denied, and surely seen",
        "denied, and hardly seen",
        "denied, and seen elsewhere",
        "denied, and something else is there",
        "confirmed, and seen a little",
        "confirmed, and not seen",
        "nobody drawn, and surely seen",
        "nobody drawn, and hardly seen",
        "drawn and seen",
        "drawn and not seen: too small, maybe",
    ],
)
def test_a_model_that_learnt_a_word_contradicts_it(word: Item, seen: list[Box], wrong: bool) -> None:
    assert contradicted([word], *seen) == ["a"] * wrong


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "x", "wrong"),
    [(2000, 2000, 100, True), (2000, 11_000, 100, False), (2000, 2000, 20, False), (2000, -1000, 100, False)],
    ids=["there before and after", "long after", "elsewhere after", "not after"],
)
@pytest.mark.parametrize("denied", [answered("a", "background"), labelled("a", AT_MS)], ids=["answer", "labels"])
def test_who_was_there_before_and_after_was_there(
    denied: Item, before_ms: int, after_ms: int, x: float, wrong: bool
) -> None:
    around = [answered("b", "confirmed", AT_MS - before_ms), labelled("c", AT_MS + after_ms, x)]
    assert contradicted([*around, denied], UNSURE) == ["a"] * wrong


def test_who_looked_again_is_believed() -> None:
    again = msgspec.structs.replace(labelled("a", AT_MS), reasons=(AGAIN,))
    assert contradicted([again], SURE) == []


def test_an_answer_is_one_word_however_many_pictures_show_its_track() -> None:
    said = [box(x, "background", by="anna", alert="alert a", at_ms=AT_MS + 1000) for x in (100, 20)]
    beside = [item(f"s{n}", AT_MS + n, box) for n, box in enumerate(said, 1)]
    told = words([answered("a", "background", x=20), *beside], {"a", "s1", "s2"}, lambda _: [SURE], ["person"], 0)
    assert [(word.pictures, word.contradicted, word.doubtful) for word in told] == [(("a", "s1", "s2"), ("s1",), False)]


def test_what_the_model_before_knew_is_not_counted_nor_what_was_not_learnt() -> None:
    old, new, other = (answered(name, "background", AT_MS + at) for name, at in (("a", 0), ("b", 5000), ("c", 5000)))
    beside = item("s", AT_MS, box(100, "background", alert="alert a", at_ms=AT_MS + 1000))
    told = words([old, new, other, beside], {"a", "b", "s"}, lambda _: [SURE], ["person"], AT_MS + 2000)
    assert [word.pictures for word in told] == [("b",)]


def test_an_answer_keeps_its_age_when_the_picture_of_its_alert_is_labelled_as_a_whole() -> None:
    drawn = labelled("a", AT_MS, 100)
    beside = item("s", AT_MS, box(100, "background", alert="alert a", at_ms=AT_MS + 1000))
    told = words([drawn, beside], {"s"}, lambda _: [SURE], ["person"], AT_MS)
    assert [(word.pictures, word.doubtful) for word in told] == [(("s",), True)]


def test_they_are_counted_by_camera_and_label_and_by_how_many_people_without_their_names() -> None:
    items = [
        answered("a", "background"),
        answered("b", "background", by="bea"),
        answered("c", "confirmed"),
        answered("d", "confirmed", camera="yard"),
        answered("e", "background", answered_by="", camera="yard", by=""),
    ]
    told = words(items, set("abcde"), lambda _: [SURE], ["person", "dog"], 0)
    assert counted(told) == (
        Words(camera="gate", label="person", words=3, contradicted=2, by={"2": 1, "3": 1}),
        Words(camera="yard", label="person", words=2, contradicted=1, by={"1": 1}),
    )
    assert doubts(told) == {name: {DOUBTED: 1.0} for name in "abe"}


def test_what_was_missed_is_no_word_but_somebody_was_there() -> None:
    missed = [item(name, AT_MS + at, box(100, "confirmed", by="bea")) for name, at in (("b", -1000), ("c", 1000))]
    told = words([*missed, answered("a", "background")], {"a", "b", "c"}, lambda _: [], ["person"], 0)
    assert [(word.pictures, word.doubtful) for word in told] == [(("a",), True)]


def test_who_denies_an_attribute_denies_nobody() -> None:
    no_hat = item("a", AT_MS, box(100, "background", attributes=("hard_hat:yes",)), answered_at_ms=AT_MS)
    assert words([no_hat], {"a"}, lambda _: [SURE], ["person"], 0) == []
