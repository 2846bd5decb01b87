"""Which words about an attribute are contradicted by crops that look otherwise."""

from __future__ import annotations

import pytest

from archive.collection.attribute_words import Judged, attribute_words
from archive.collection.attributes import Shown
from archive.collection.items import AGAIN
from archive.collection.words import Word
from tests.collection_tools import item
from tests.evidence_tools import AT_MS


def judged(name: str, value: str, yes: float, *, alert: str = "", at_ms: int = AT_MS, **changes: object) -> Judged:
    """A crop of a head of which somebody said `value`; a model gives "yes" that probability."""
    shown = Shown(item(name, AT_MS, **changes), (0, 0, 9, 9), value, True, alert or f"alert {name}", "anna", at_ms)
    return Judged(shown, {"yes": yes, "no": 1 - yes})


CLEAR = [judged(f"y{k}", "yes", 0.9) for k in range(4)] + [judged(f"n{k}", "no", 0.1) for k in range(4)]
UNSURE = [judged(f"y{k}", "yes", 0.6) for k in range(4)] + [judged(f"n{k}", "no", 0.4) for k in range(4)]


def contradicted(told: list[Word]) -> list[str]:
    return sorted(name for word in told for name in word.contradicted)


@pytest.mark.parametrize(
    ("others", "word", "wrong"),
    [
        (CLEAR, judged("a", "no", 0.95), True),
        (CLEAR, judged("a", "no", 0.6), False),
        (CLEAR, judged("a", "no", 0.2), False),
        (UNSURE, judged("a", "no", 0.65), True),
        (UNSURE, judged("a", "no", 0.55), False),
        (CLEAR, judged("a", "no", 0.95, reasons=(AGAIN,)), False),
    ],
    ids=[
        "as sure as of a yes",
        "less sure than of any yes",
        "as said",
        "among unsure ones as sure",
        "among unsure ones less sure",
        "looked at again",
    ],
)
def test_who_says_otherwise_than_what_looks_alike_is_contradicted(
    others: list[Judged], word: Judged, wrong: bool
) -> None:
    assert contradicted(attribute_words([*others, word], "hard_hat", 0)) == ["a"] * wrong


def test_an_answer_is_one_word_about_its_camera_and_what_it_said() -> None:
    said = [
        judged("a", "no", 0.95, alert="one"),
        judged("b", "no", 0.1, alert="one"),
        judged("c", "no", 0.1, alert="one"),
    ]
    told = attribute_words([*CLEAR, *said], "hard_hat", 0)
    (word,) = [one for one in told if len(one.pictures) > 1]
    assert (word.camera, word.label, word.by) == ("gate", "hard_hat: no", "anna")
    assert (word.pictures, word.contradicted, word.doubtful) == (("a", "b", "c"), ("a",), False)


def test_words_that_the_model_before_knew_are_not_counted() -> None:
    new = judged("a", "no", 0.95, at_ms=AT_MS + 5)
    assert [word.pictures for word in attribute_words([*CLEAR, new], "hard_hat", AT_MS)] == [("a",)]
