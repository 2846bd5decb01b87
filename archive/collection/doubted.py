"""Pictures of which a training contradicts what people said: in doubt until a later one looked, or somebody did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from archive.collection.items import AGAIN, Item
from archive.collection.store import Collection
from archive.collection.when import trainings
from contracts.controls import slot_in_names
from contracts.decoding import from_json
from contracts.fields import Millis

FOLDER = "doubted"
Doubts = dict[str, dict[str, float]]
"""By picture, and by reason how much (0-1)."""


class Doubted(msgspec.Struct, frozen=True, kw_only=True):
    """What a training of what is in the slot `of` doubts of the words later than `since_ms`.

    `at_ms` is when its answers were collected.
    """

    v: int = 1
    of: str
    at_ms: Millis
    since_ms: Millis
    doubts: Doubts


def keep_doubted(collection: Collection, doubted: Doubted) -> None:
    """Keep what a classifier's training doubts; `vedette learn` keeps it once more with each training that it ends."""
    name = f"{slot_in_names(doubted.of)}-{doubted.at_ms}"
    collection.files.write(f"{FOLDER}/{name}.json", msgspec.json.encode(doubted))


def doubted_before(collection: Collection) -> list[Doubted]:
    """What all trainings doubted, the oldest first."""
    found = [collection.files.read(path) for path in collection.files.paths(FOLDER)]
    known = [from_json(data, Doubted) for data in found if data is not None]
    known += [
        Doubted(of=one.slot, at_ms=one.at_ms, since_ms=one.since_ms, doubts=one.doubts) for one in trainings(collection)
    ]
    return sorted(known, key=lambda one: one.at_ms)


def standing(items: Sequence[Item], before: Sequence[Doubted]) -> Doubts:
    """What is still in doubt: a later training of the same model has looked only at words that were new to it."""
    told_at_ms = {item.sha256: _told_at_ms(item) for item in items if AGAIN not in item.reasons}
    of: dict[str, Doubts] = defaultdict(dict)
    for one in before:
        unseen = {name: why for name, why in of[one.of].items() if told_at_ms.get(name, 0) <= one.since_ms}
        of[one.of] = unseen | one.doubts
    found: Doubts = {}
    for doubts in of.values():
        for name in doubts.keys() & told_at_ms.keys():
            found[name] = found.get(name, {}) | doubts[name]
    return found


def whose(items: Sequence[Item], doubts: Mapping[str, object]) -> dict[str, int]:
    """Who said something of how many pictures in doubt, most first."""
    said = Counter(by for item in items if item.sha256 in doubts for by in _authors(item))
    return dict(sorted(said.items(), key=lambda one: (-one[1], one[0])))


def _authors(item: Item) -> set[str]:
    of_boxes = {box.by for box in item.boxes if box.kind != "pseudo"}
    return {by for by in (*of_boxes, item.answered_by) if by}


def _told_at_ms(item: Item) -> int:
    """When the first of what is said of the picture was said."""
    return min((at_ms for at_ms in (item.answered_at_ms, *(box.at_ms for box in item.boxes)) if at_ms), default=0)
