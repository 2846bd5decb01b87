"""How far a camera's labels can be believed, and how much of what is there models miss."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from archive.collection.items import SAME, Item, overlap
from archive.collection.sampler import REVIEW
from archive.collection.seeing import SURE

Z = 1.96
"""Of a normal distribution 95 % lie within so many deviations."""


class Share(NamedTuple):
    """So many hits of all; the true share lies from `low` to `high` with 95 % (Wilson's interval, JASA 22, 1927)."""

    hits: int
    all: int
    low: float
    high: float


class Quality(NamedTuple):
    """Of one camera, each None where there is nothing to tell it by.

    `agreed`: answered places of which models say the same. `doubted`: pictures with labels that cleaning doubts.
    `missed`: things that people drew on pictures drawn at random and that no model was sure of. Answers see what was
    shown alone; these pictures are a sample of those in which models found nothing to ask about.
    """

    agreed: Share | None
    doubted: Share | None
    missed: Share | None


def quality(items: Sequence[Item], doubtful: Collection[str] | None) -> dict[str, Quality]:
    """By camera; `doubtful` are the pictures that cleaning doubts, None where nothing was cleaned yet."""
    agreed: dict[str, list[bool]] = defaultdict(list)
    doubted: dict[str, list[bool]] = defaultdict(list)
    missed: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if item.answer in ("true", "false"):
            contradicted = any(box.kind == "pseudo" and box not in item.learnt for box in item.boxes)
            agreed[item.camera].append(item.answer == "true" or not contradicted)
        if doubtful is not None and (item.complete or item.answer):
            doubted[item.camera].append(item.sha256 in doubtful)
        if item.complete and REVIEW in item.reasons:
            missed[item.camera] += _missed(item)
    return {
        camera: Quality(share(agreed[camera]), share(doubted[camera]), share(missed[camera]))
        for camera in sorted({item.camera for item in items})
    }


def share(those: Sequence[bool]) -> Share | None:
    """How many of them are true, and between which bounds that lies in the long run; None of none."""
    if not those:
        return None
    hits, all_ = sum(those), len(those)
    rate, spread = hits / all_, Z * Z / all_
    middle, width = rate + spread / 2, Z * math.sqrt(rate * (1 - rate) / all_ + spread / (4 * all_))
    return Share(hits, all_, max(0.0, (middle - width) / (1 + spread)), min(1.0, (middle + width) / (1 + spread)))


def _missed(item: Item) -> list[bool]:
    """Of each thing that a person drew whether no model was sure of it."""
    sure = [box for box in item.boxes if box.kind == "pseudo" and box.confidence >= SURE]
    return [
        not any(box.label == drawn.label and overlap(box, drawn) >= SAME for box in sure)
        for drawn in item.boxes
        if drawn.kind == "confirmed"
    ]
