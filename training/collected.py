"""A version of the site's collection as a set to train on: what people said, and what models saw beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from archive.collection.items import Box, Item
from archive.collection.store import Collection
from archive.collection.words import Word, words
from training.dataset import DataSet, Sample, read_picture
from training.errors import TooLittleError
from training.predict import Detects
from training.readers import Skipped
from training.recipe import DetectorRecipe, SetConfig

SITE, LABELLED = "site", "site-labelled"
NOTHING = -1.0


@contextmanager
def borrowed(folder: Path, *, first: bool) -> Iterator[None]:
    """The folder for the site's pictures while they are trained on: retention knows nothing of it, so it goes.

    The `first` of several processes takes away what a kill left, which may be let go by now, and all in the end.
    """
    try:
        if first:
            shutil.rmtree(folder, ignore_errors=True)
        yield
    finally:
        if first:
            shutil.rmtree(folder, ignore_errors=True)


def site_sets(
    collection: Collection, items: Sequence[Item], recipe: DetectorRecipe, cache: Path, weight: float
) -> tuple[DataSet, ...]:
    """What is learnt of the site: pictures that a person labelled as a whole, and those of which they judged places.

    The former are the truth, and the start's answers on them count for nothing: held to them, a model that saw nobody
    would go on to see nobody. So would one of the pictures of which nobody said anything: they are left out. A picture
    of either counts alike. Raises TooLittleError where there is none.
    """
    whole = [item for item in items if item.complete]
    judged = [item for item in items if not item.complete and any(box.kind != "pseudo" for box in item.learnt)]
    made = []
    for own, name in ((whole, LABELLED), (judged, SITE)):
        share = len(own) / max(1, len(whole) + len(judged))
        data = collected(collection, own, recipe, cache, weight * share)
        config = msgspec.structs.replace(data.config, name=name, distil=own is judged)
        made.append(replace(data, config=config))
    if not any(one.samples for one in made):
        raise TooLittleError("collection", "there is no picture to train on")
    return tuple(one for one in made if one.samples)


def collected(
    collection: Collection, items: Sequence[Item], recipe: DetectorRecipe, cache: Path, weight: float
) -> DataSet:
    """The items whose pictures are still there, as files below `cache`.

    A label that several channels are trained for can't be told apart: nothing is learnt from its place. Between the
    recipe's `teacher_unsure` and `teacher_sure` nothing is learnt from what models saw either.
    """
    channels = {label: recipe.channels.index(group[0]) for label, group in recipe.labels.items() if len(group) == 1}
    samples, skipped = [], []
    for item in items:
        path = _picture(collection, item, cache)
        if path is None:
            skipped.append(Skipped(item.sha256, "its picture is gone, as its alert is"))
        else:
            samples.append(_sample(item, path, channels, recipe))
    config = SetConfig(name=SITE, role="train", format="folder", pictures="", weight=weight)
    return DataSet(config, tuple(samples), tuple(skipped))


def told(
    detector: Detects, recipe: DetectorRecipe, site: Sequence[DataSet], items: Sequence[Item], since_ms: int
) -> list[Word]:
    """What people said later than that in the pictures that were trained on, and whether the detector contradicts it.

    Of the labels of the branch, or all; `items` are all of the version.
    """
    names = tuple(recipe.labels)
    paths = {sample.path.stem: sample.path for one in site for sample in one.samples}

    def sees(item: Item) -> list[Box]:
        boxes, scores, found = detector.detect(read_picture(paths[item.sha256]))
        return [
            Box(xyxy=(x1, y1, x2, y2), label=names[label], kind="pseudo", confidence=float(score))
            for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores, found, strict=True)
        ]

    return words(items, paths, sees, recipe.branch or names, since_ms)


def _picture(collection: Collection, item: Item, cache: Path) -> Path | None:
    path = cache / f"{item.sha256}.jpg"
    if not path.exists():
        data = collection.picture(item.sha256)
        if data is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".partial")
        beside.write_bytes(data)
        beside.replace(path)
    return path


def _sample(item: Item, path: Path, channels: Mapping[str, int], recipe: DetectorRecipe) -> Sample:
    known = [
        box
        for box in item.learnt
        if (box.label in channels or box.label in recipe.labels)
        and (box.kind != "pseudo" or box.confidence >= recipe.teacher_unsure)
    ]
    return Sample(
        key=f"{SITE}/{item.sha256}",
        path=path,
        xyxy=np.array([box.xyxy for box in known], np.float32).reshape(-1, 4),
        channels=np.array([channels.get(box.label, 0) for box in known], np.int64),
        weights=np.array([_weight(box, channels, recipe) for box in known], np.float32),
        partly=not item.complete,
    )


def _weight(box: Box, channels: Mapping[str, int], recipe: DetectorRecipe) -> float:
    if box.label not in channels:
        return 0.0
    if box.kind == "pseudo":
        # Below 1, which stands for a person's word.
        return min(0.99, box.confidence) if box.confidence >= recipe.teacher_sure else 0.0
    return 1.0 if box.kind == "confirmed" else NOTHING
