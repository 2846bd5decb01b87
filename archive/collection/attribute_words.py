"""What people said of an attribute, a word an alert or a drawn box, and which of it what looks alike contradicts: pure.

Each crop is judged by a model that has not learnt it, nor anything of its passage: one that has would say it by heart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archive.collection.attributes import Shown
from archive.collection.items import AGAIN
from archive.collection.words import Word


class Judged(NamedTuple):
    """A crop with what was said of it, and how probable each value is to a model that has not learnt it."""

    shown: Shown
    probabilities: Mapping[str, float]


def attribute_words(judged: Sequence[Judged], attribute: str, since_ms: int) -> list[Word]:
    """The words of later than `since_ms`; who looked again and says the same is believed.

    A crop contradicts its word where another value is at least as probable as it is on average where it was said, the
    most probable of such (confident learning: Northcutt et al., arXiv:1911.00068). So it counts for nothing by how
    much wrong words have made the model unsure of all.
    """
    usual = _usual(judged)
    about: dict[tuple[str, str, str, str], dict[str, bool]] = defaultdict(dict)
    for one in judged:
        shown, item = one.shown, one.shown.item
        if shown.at_ms > since_ms:
            wrong = AGAIN not in item.reasons and _rather(one, usual) not in ("", shown.value)
            key = (item.camera, f"{attribute}: {shown.value}", shown.by, shown.alert or item.sha256)
            about[key][item.sha256] = about[key].get(item.sha256, False) or wrong
    return [
        Word(camera, label, by, tuple(each), tuple(name for name, wrong in each.items() if wrong))
        for (camera, label, by, _), each in sorted(about.items())
    ]


def _usual(judged: Sequence[Judged]) -> dict[str, float]:
    """How probable each value is on average where it was said."""
    of: dict[str, list[float]] = defaultdict(list)
    for one in judged:
        of[one.shown.value].append(one.probabilities[one.shown.value])
    return {value: sum(each) / len(each) for value, each in of.items()}


def _rather(one: Judged, usual: Mapping[str, float]) -> str:
    """What the crop surely shows; "" where that can't be said."""
    sure = {value: share for value, share in one.probabilities.items() if value in usual and share >= usual[value]}
    return max(sure, key=lambda value: sure[value], default="")
