"""What of a version should be looked at again: broken pictures, near duplicates, labels in doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from archive.collection.duplicates import fingerprint, groups
from archive.collection.items import Box, Item, overlap
from archive.collection.seeing import SEEN, Picture, decoded
from archive.collection.store import Collection
from contracts.decoding import from_json

FOUND = "clean.json"
ALIKE_BOXES = 0.8
"""Two pictures of one camera show the same where their boxes do: the room behind them is always the same."""
LEAST_QUALITY = 0.3
"""A label of less is in doubt: from 0, which no model would give, to 1."""
BADLY_PLACED, SWAPPED, OVERLOOKED = (
    "a box may be badly placed",
    "a box may have another's label",
    "something may be overlooked",
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What cleaning a version found. `doubts` are by picture, and by reason how much (0-1); `alike` are groups."""

    v: int = 1
    version: str
    broken: dict[str, str] = {}
    alike: tuple[tuple[str, ...], ...] = ()
    doubts: dict[str, dict[str, float]] = {}


def clean(collection: Collection, id: str = "") -> Found:
    """Look through a version and keep what is found, for the queue and for splits. Raises VedetteError."""
    about, items = collection.load(id)
    broken: dict[str, str] = {}

    def picture_of(item: Item) -> Picture | None:
        picture = decoded(collection.picture(item.sha256) or b"")
        if picture is None:
            broken[item.sha256] = "gone, or damaged"
        return picture

    alike = tuple(near_duplicates(items, picture_of))
    there = [item for item in items if item.sha256 not in broken]
    found = Found(version=about.id, broken=broken, alike=alike, doubts=doubts(there))
    collection.files.write(FOUND, msgspec.json.format(msgspec.json.encode(found), indent=1))
    return found


def found_before(collection: Collection) -> Found:
    """What the last cleaning found; nothing where there was none."""
    data = collection.files.read(FOUND)
    return from_json(data, Found) if data is not None else Found(version="")


def near_duplicates(items: Sequence[Item], picture_of: Callable[[Item], Picture | None]) -> list[tuple[str, ...]]:
    """Groups of pictures that look alike and in which the same is labelled at the same places, two of them at least.

    Where nothing is labelled nothing is the same: an empty room would tie all passages of its camera together. Pictures
    are looked at one after the other: one has 6 MB, and a collection may have ten thousand.
    """
    seen = [(item, fingerprint(picture)) for item in items if (picture := picture_of(item)) is not None]
    alike: dict[int, list[Item]] = defaultdict(list)
    for group, (item, _) in zip(groups(one for _, one in seen), seen, strict=True):
        if item.learnt:
            alike[int(group)].append(item)
    found: list[tuple[str, ...]] = []
    for members in alike.values():
        found += [tuple(item.sha256 for item in same) for same in _same_boxes(members) if len(same) > 1]
    return found


def alike_in(collection: Collection, items: Sequence[Item]) -> dict[str, str]:
    """The near duplicates among the items as `words` names them, whether they were cleaned or not."""
    return words(near_duplicates(items, lambda item: decoded(collection.picture(item.sha256) or b"")))


def words(alike: Sequence[Sequence[str]]) -> dict[str, str]:
    """The groups as `splits.split` takes them: a word for each picture that is in one."""
    return {sha256: group[0] for group in alike for sha256 in group}


def doubts(items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """Labels that models which never saw them contradict, by picture (ObjectLab, arXiv:2309.00832).

    Something can be overlooked only where a person labelled all of the picture. Needs cleanlab, which comes with the
    extra `training`; answers are doubted without it, by the queue.
    """
    labels = sorted({box.label for item in items for box in item.boxes})
    said = [[box for box in item.learnt if box.kind == "confirmed"] for item in items]
    seen = [[box for box in item.boxes if box.kind == "pseudo" and box.confidence >= SEEN] for item in items]
    chosen = [place for place in range(len(items)) if said[place] or items[place].complete]
    if not chosen or not any(seen[place] for place in chosen):
        return {}
    given = [_labels(said[place], labels) for place in chosen]
    predicted = [_predictions(seen[place], labels) for place in chosen]
    found: dict[str, dict[str, float]] = {}
    for reason, worst in _qualities(given, predicted).items():
        for place, quality in zip(chosen, worst, strict=True):
            if quality < LEAST_QUALITY and (reason != OVERLOOKED or items[place].complete):
                found.setdefault(items[place].sha256, {})[reason] = round(1 - quality, 4)
    return found


def _qualities(given: list[dict[str, object]], predicted: list[object]) -> dict[str, list[float]]:
    """The least quality of each picture's boxes, by what may be wrong with them."""
    from cleanlab.object_detection import rank  # a second, and scikit-learn: only here

    scores = {
        BADLY_PLACED: rank.compute_badloc_box_scores(labels=given, predictions=predicted),
        SWAPPED: rank.compute_swap_box_scores(labels=given, predictions=predicted),
        OVERLOOKED: rank.compute_overlooked_box_scores(labels=given, predictions=predicted),
    }
    return {reason: [_least(one) for one in of] for reason, of in scores.items()}


def _least(scores: object) -> float:
    known = np.asarray(scores, np.float64)
    known = known[np.isfinite(known)]
    return float(known.min()) if len(known) else 1.0


def _labels(boxes: Sequence[Box], labels: Sequence[str]) -> dict[str, object]:
    return {
        "bboxes": np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4),
        "labels": np.array([labels.index(box.label) for box in boxes], np.int64),
    }


def _predictions(boxes: Sequence[Box], labels: Sequence[str]) -> object:
    """An array of objects: for each label its boxes and scores [N,5]."""
    rows = np.empty(len(labels), dtype=object)
    for number, label in enumerate(labels):
        own = [(*box.xyxy, box.confidence) for box in boxes if box.label == label]
        rows[number] = np.array(own, np.float64).reshape(-1, 5)
    return rows


def _same_boxes(items: Sequence[Item]) -> list[list[Item]]:
    """Each picture comes to the first of those that look alike in which the same is at the same places."""
    found: dict[tuple[tuple[str, bool], ...], list[tuple[tuple[Box, ...], list[Item]]]] = defaultdict(list)
    for item in items:
        boxes = item.learnt
        alike = found[tuple(sorted((box.label, box.kind == "background") for box in boxes))]
        group = next((group for others, group in alike if _alike(boxes, others)), None)
        if group is None:
            alike.append((boxes, [item]))
        else:
            group.append(item)
    return [group for alike in found.values() for _, group in alike]


def _alike(ones: Sequence[Box], others: Sequence[Box]) -> bool:
    return all(any(_is(one, other) for other in others) for one in ones)


def _is(one: Box, other: Box) -> bool:
    denied = [box.kind == "background" for box in (one, other)]
    return one.label == other.label and denied[0] == denied[1] and overlap(one, other) >= ALIKE_BOXES
