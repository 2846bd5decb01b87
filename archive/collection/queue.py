"""Which pictures are worth a person's label, and why: a bounded list, spread over cameras and hours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from archive.collection.items import SAME, Box, Item, overlap
from archive.collection.seeing import SEEN, SURE
from contracts.day_parts import part_of_day
from contracts.fields import Millis, Share

PASSED_MS = 10_000
"""Who was in a camera's picture has gone on after so long: a picture that is nearer to a chosen one shows less new."""
REVIEWED = 0.2
"""Answers only ever see what was shown: so much of the queue is drawn at random, to find what was missed."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a person should label, how much it is worth, and why."""

    sha256: str
    site: str
    camera: str
    captured_at_ms: Millis
    score: Share
    reasons: tuple[str, ...]


def queue(
    items: Iterable[Item], most: int, doubts: Mapping[str, Mapping[str, float]] = MappingProxyType({})
) -> tuple[Wanted, ...]:
    """At most `most` of the pictures that nobody labelled, or whose labels are in doubt.

    They are the hardest of each camera and part of the day by turns, and REVIEWED of them drawn at random. `doubts` are
    by picture, as cleaning found them. The same items give the same queue.
    """
    asked = (item for item in items if not item.complete or item.sha256 in doubts)
    waiting = sorted(asked, key=lambda item: item.captured_at_ms)
    seen: set[tuple[str, str]] = set()
    hard = [_wanted(item, judged(item, seen) | dict(doubts.get(item.sha256, {}))) for item in waiting]
    chosen = _by_turns([one for one in hard if one.score > 0], most - round(most * REVIEWED))
    known = {one.sha256 for one in chosen}
    drawn = sorted((item for item in waiting if item.sha256 not in known), key=lambda item: item.sha256)
    review = [_wanted(item, {"random review": 0.0}) for item in drawn[: most - len(chosen)]]
    return (*chosen, *review)


def judged(item: Item, seen: set[tuple[str, str]]) -> dict[str, float]:
    """The reasons for a label, with how much each is worth; `seen` are the labels that each camera has had before.

    A picture is as uncertain as it is likely that one of its boxes is wrongly believed, or wrongly not, each as likely
    as its confidence says: a label is of the whole picture, and so all boxes count (the surest way to choose in Brust
    et al., VISAPP 2019, sums over them too).
    """
    found: dict[str, float] = {}
    if item.complete:
        return found
    pseudo = [box for box in item.boxes if box.kind == "pseudo" and box.confidence >= SEEN]
    if doubt := 1 - math.prod(max(box.confidence, 1 - box.confidence) for box in pseudo):
        found["uncertain"] = doubt
    if item.agreement < 1:
        found["models disagree"] = 1 - item.agreement
    for label in sorted({box.label for box in pseudo if box.confidence >= SURE}):
        if (item.camera, label) not in seen:
            found[f"first {label} of {item.camera}"] = 1.0
            seen.add((item.camera, label))
    if doubtful := max((_doubt(box, item.boxes) for box in item.boxes), default=0.0):
        found["answer in doubt"] = doubtful
    return found


def _doubt(answered: Box, boxes: Sequence[Box]) -> float:
    """How much models contradict an answer: they see what is said to be nothing."""
    if answered.kind != "background":
        return 0.0
    alike = [box for box in boxes if box.kind == "pseudo" and box.label == answered.label]
    return max((box.confidence for box in alike if overlap(answered, box) >= SAME), default=0.0)


def _wanted(item: Item, reasons: dict[str, float]) -> Wanted:
    ordered = sorted(reasons, key=lambda reason: -reasons[reason])
    return Wanted(
        sha256=item.sha256,
        site=item.site,
        camera=item.camera,
        captured_at_ms=item.captured_at_ms,
        score=round(min(1.0, max(reasons.values(), default=0.0)), 4),
        reasons=tuple(ordered),
    )


def _by_turns(wanted: Sequence[Wanted], most: int) -> list[Wanted]:
    """The best of each camera and part of the day, then the second best of each, and so on."""
    groups: dict[tuple[str, str, int], list[Wanted]] = defaultdict(list)
    for one in sorted(wanted, key=lambda one: (-one.score, one.captured_at_ms, one.sha256)):
        groups[one.site, one.camera, part_of_day(one.captured_at_ms)].append(one)
    best = [_apart(group, most) for group in groups.values()]
    ranks = [(place, -one.score, one.sha256, one) for group in best for place, one in enumerate(group)]
    return [one for *_, one in sorted(ranks, key=lambda rank: rank[:3])[: max(0, most)]]


def _apart(group: Sequence[Wanted], most: int) -> list[Wanted]:
    """The best `most` of a camera's, best first: each is worth less the nearer in time it is to one before it."""
    at_ms = np.array([one.captured_at_ms for one in group], np.float64)
    scores, new = np.array([one.score for one in group]), np.ones(len(group))
    chosen: list[Wanted] = []
    while len(chosen) < min(most, len(group)):
        place = int((scores * new).argmax())
        chosen.append(group[place])
        new = np.minimum(new, np.abs(at_ms - at_ms[place]) / PASSED_MS)
        new[place] = -1.0
    return chosen
