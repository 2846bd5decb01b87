"""A version of the site's collection as a classifier's pictures: crops as the stream cuts them, values from answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from archive.collection.attributes import Shown, shown
from archive.collection.cleaning import alike_in, found_before
from archive.collection.items import Item
from archive.collection.seeing import decoded
from archive.collection.splits import groups, without
from archive.collection.store import Collection, Version
from contracts.errors import ConfigError
from stream.vision.classifier import crop, squares
from training.classifiers.crops import SIDE
from training.classifiers.pictures import Labelled
from training.classifiers.recipe import AnswersConfig, AttributeConfig, ClassifierRecipe, wanted_of
from training.errors import TooLittleError
from training.gate.sets import NOTHING, Frozen

LEAST_GROUPS = 3
"""One to learn from, one to stop by, one to measure with."""


class Answers(NamedTuple):
    """The crops, what was said of each (by its path), the pictures that they are of, and what says nothing, by reason.

    Pictures are named by their SHA-256.
    """

    crops: tuple[Labelled, ...]
    said: dict[Path, Shown]
    pictures: tuple[str, ...]
    left: Counter[str]


def answered(
    recipe: ClassifierRecipe, collection: Collection, version: Version, out: Path, frozen: Frozen = NOTHING
) -> Answers:
    """Write the crops to `out/<value>/<picture>-<k>.png`; nothing of a passage with a `frozen` picture.

    All of one camera's passage, of one alert (so of its track), and of near duplicates are one group, which stays
    together. Raises ConfigError where the recipe names no attribute or labels, and TooLittleError where there is too
    little to learn from.
    """
    wanted = wanted_of(recipe)
    answers, left, cleaned = recipe.answers, Counter[str](), found_before(collection)
    if unknown := set(answers.drawn.values()) - set(recipe.labels):
        raise ConfigError("answers.drawn", f"means labels that the recipe does not name: {sorted(unknown)}")
    alike = alike_in(collection, version.items)
    items = without(version.items, frozen.digests, alike, frozen.moments)
    found = list(shown(items, wanted, left))
    together = _together(items, alike, found)
    doubts = {picture: max(reasons.values(), default=0.0) for picture, reasons in cleaned.doubts.items()}
    cut = list(_crops(recipe, collection, found, together, doubts, out, left))
    crops, said = tuple(crop for crop, _ in cut), {crop.path: one for crop, one in cut}
    enough(crops, recipe.labels, answers)
    return Answers(crops, said, tuple(dict.fromkeys(one.item.sha256 for one in said.values())), left)


def enough(crops: Sequence[Labelled], labels: Sequence[str], answers: AnswersConfig) -> None:
    """Raises TooLittleError that says how many pictures, or passages, of which label are missing."""
    lacking = []
    for label in labels:
        own = [one for one in crops if one.label == label]
        passages = len({one.group for one in own})
        if len(own) < answers.least:
            lacking.append(f"of `{label}` there are {len(own)}, {answers.least - len(own)} more are needed")
        elif passages < LEAST_GROUPS:
            lacking.append(f"`{label}` was seen in {passages} passages, {LEAST_GROUPS - passages} more are needed")
    if lacking:
        raise TooLittleError("collection", "too few answers to learn from: " + "; ".join(lacking))


def _together(items: Sequence[Item], alike: dict[str, str], found: Sequence[Shown]) -> dict[str, str]:
    """The group's name of each picture: passages, joined where an alert's track reaches over several."""
    passage = {item.sha256: group[0].sha256 for group in groups(items, alike) for item in group}
    of_alert: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if one.alert:
            of_alert[one.alert].add(passage[one.item.sha256])
    joined = dict(alike)
    for alert, passages in of_alert.items():
        # A picture may be a near duplicate of others already: then these all get the alert's word.
        known = {joined[first] for first in passages if first in joined}
        joined |= {picture: alert for picture, word in joined.items() if word in known}
        joined |= dict.fromkeys(passages, alert)
    return {item.sha256: group[0].sha256 for group in groups(items, joined) for item in group}


def _crops(
    recipe: ClassifierRecipe,
    collection: Collection,
    found: Sequence[Shown],
    together: dict[str, str],
    doubts: dict[str, float],
    out: Path,
    left: Counter[str],
) -> Iterator[tuple[Labelled, Shown]]:
    """The crops that are large enough, of pictures that are still there, with what was said of each."""
    attribute: AttributeConfig | None = recipe.attribute
    assert attribute is not None
    by_picture: dict[str, list[Shown]] = defaultdict(list)
    for one in found:
        by_picture[one.item.sha256].append(one)
    for name, several in by_picture.items():
        picture = decoded(collection.picture(name) or b"")
        if picture is None:
            left["its picture is gone, as its alert is"] += len(several)
            continue
        places = squares(np.array([one.xyxy for one in several], np.float32), attribute)
        for k, (one, square) in enumerate(zip(several, places, strict=True)):
            if square[2] - square[0] < attribute.least_side:
                left["smaller than the stream looks at"] += 1
                continue
            path = out / one.value / f"{name}-{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), crop(picture, square, max(SIDE, recipe.network.size)))
            weight = (1.0 if one.sure else recipe.answers.unsure) * (1 - doubts.get(name, 0.0))
            yield Labelled(path, one.value, "train", group=together[name], weight=weight), one
