"""What people said, one word an alert or a labelled picture, and which words the others and a model contradict: pure.

A network learns what is consistent first and what is wrong last (arXiv:1706.05394): what it contradicts when it has
learnt it is likely wrong. So is a place of which people say that something was there shortly before and shortly after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from archive.collection.items import AGAIN, SAME, Box, Item, overlap
from archive.collection.queue import PASSED_MS
from archive.collection.seeing import SEEN, SURE
from contracts.manifest import Words

NEAR = 0.3
"""A box that overlaps a drawn one by so much (IoU) may be of the same thing, badly placed."""
DOUBTS = ".doubts"
"""Beside a candidate: what `doubts` gives, as JSON."""
DOUBTED = "a model contradicts it that has learnt it, or others do"


class Word(NamedTuple):
    """One word about a label, the pictures that it is about, and those of them in which it is contradicted."""

    camera: str
    label: str
    by: str
    pictures: tuple[str, ...]
    contradicted: tuple[str, ...]

    @property
    def doubtful(self) -> bool:
        """Whether it is contradicted in half of its pictures."""
        return 2 * len(self.contradicted) >= len(self.pictures)


Sees = Callable[[Item], Sequence[Box]]
"""What a model sees in an item's picture."""


def words(
    items: Sequence[Item], learnt: Collection[str], sees: Sees, labels: Collection[str], since_ms: int
) -> list[Word]:
    """The words of later than `since_ms` about these labels in the pictures (SHA-256) that a model `learnt`.

    `sees` is that model, `items` are all of the collection. Who looked again and says the same is believed; what was
    drawn because it was missed is no word of its own.
    """
    there = _Confirmed(items)
    about: dict[tuple[str, str, str, str], dict[str, bool]] = defaultdict(dict)
    for item in (one for one in items if one.sha256 in learnt):
        whole = item.complete and item.answered_at_ms > since_ms
        answers = [] if item.complete else [box for box in _said(item) if box.alert and box.at_ms > since_ms]
        seen = sees(item) if whole or answers else ()
        for label in labels:
            boxes = [box for box in seen if box.label == label]
            if whole:
                wrong = AGAIN not in item.reasons and _overlooked(item, label, boxes, there)
                about[item.camera, label, item.answered_by, item.sha256][item.sha256] = wrong
            for said in (box for box in answers if box.label == label):
                about[item.camera, label, said.by, said.alert][item.sha256] = _wrong(item, said, boxes, there)
    return [
        Word(camera, label, by, tuple(each), tuple(name for name, wrong in each.items() if wrong))
        for (camera, label, by, _), each in sorted(about.items())
    ]


def counted(told: Sequence[Word]) -> tuple[Words, ...]:
    """How many words there are of each camera and label, how many are doubtful, and of how many people so many each.

    Nobody is named: a manifest goes wherever its model does. People are numbered, who has most of all of them first.
    """
    of: dict[tuple[str, str], list[Word]] = defaultdict(list)
    for word in told:
        of[word.camera, word.label].append(word)
    most = Counter(word.by for word in told if word.doubtful)
    number = {by: str(place) for place, by in enumerate(sorted(most, key=lambda by: (-most[by], by)), 1)}
    return tuple(
        Words(
            camera=camera,
            label=label,
            words=len(each),
            contradicted=sum(word.doubtful for word in each),
            by=dict(sorted(Counter(number[word.by] for word in each if word.doubtful).items())),
        )
        for (camera, label), each in sorted(of.items())
    )


def doubts(told: Sequence[Word]) -> dict[str, dict[str, float]]:
    """The pictures that a person should look at again, as cleaning names them: by reason how much (0-1)."""
    return {name: {DOUBTED: 1.0} for word in told if word.doubtful for name in word.contradicted}


class _Confirmed:
    """Where people say that something was, by camera and label in the order of time."""

    def __init__(self, items: Sequence[Item]) -> None:
        places: dict[tuple[str, str], list[tuple[int, Box]]] = defaultdict(list)
        for item in sorted(items, key=lambda item: item.captured_at_ms):
            for box in _said(item):
                if box.kind == "confirmed":
                    places[item.camera, box.label].append((item.captured_at_ms, box))
        self._places = {key: ([at_ms for at_ms, _ in known], known) for key, known in places.items()}

    def around(self, item: Item, label: str) -> list[Box]:
        """The places at which it was within PASSED_MS before the picture, and within as much after."""
        times, known = self._places.get((item.camera, label), ([], []))
        at_ms = item.captured_at_ms
        before = known[bisect_left(times, at_ms - PASSED_MS) : bisect_left(times, at_ms)]
        after = known[bisect_right(times, at_ms) : bisect_right(times, at_ms + PASSED_MS)]
        return [box for _, box in before if any(overlap(box, other) >= SAME for _, other in after)]


def _said(item: Item) -> Iterator[Box]:
    """What people said of what is in a picture: not what they denied an attribute of."""
    return (box for box in item.boxes if box.kind == "confirmed" or (box.kind == "background" and not box.attributes))


def _overlooked(item: Item, label: str, seen: Sequence[Box], there: _Confirmed) -> bool:
    """Whether something is surely in a labelled picture where nobody drew it.

    That a model doesn't see what was drawn says nothing: some are too small for it.
    """
    drawn = [box for box in item.boxes if box.kind == "confirmed" and box.label == label]
    claims = (*(box for box in seen if box.confidence >= SURE), *there.around(item, label))
    return any(all(overlap(one, box) < NEAR for box in drawn) for one in claims)


def _wrong(item: Item, said: Box, seen: Sequence[Box], there: _Confirmed) -> bool:
    """Whether an answer about a place is contradicted: denied, and surely there; or confirmed, and not seen at all."""
    sure = max((box.confidence for box in seen if overlap(box, said) >= SAME), default=0.0)
    if said.kind == "confirmed":
        return sure < SEEN
    return sure >= SURE or any(overlap(box, said) >= SAME for box in there.around(item, said.label))
