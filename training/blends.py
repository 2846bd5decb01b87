"""How far from the start to the trained weights: the most for the site that loses little of what was known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.vision.fusion import iou
from training.collected import NOTHING
from training.dataset import DataSet, Picture, letterbox, read_picture
from training.evaluate import SetResult, evaluate_set, sample_labels
from training.export import Exported
from training.network import DetectorNet
from training.parity import torch_detect
from training.predict import Detects
from training.recipe import DetectorRecipe
from training.teachers import Boxes


@dataclass(frozen=True)
class Tried:
    """One blend: the AP50 of each replay set, and how well the site's answers are met (-1 to 1)."""

    share: float
    replay: dict[str, float]
    site: float


class NetDetector:
    """A network in torch, as a detector of whole pictures."""

    def __init__(self, net: DetectorNet, recipe: DetectorRecipe) -> None:
        self._model = Exported(net, recipe.groups, recipe.nms_iou).eval()
        self._size = recipe.size

    def detect(self, picture: Picture) -> Boxes:
        """See training.predict.Detects."""
        canvas, scale = letterbox(picture, self._size)
        boxes, scores, labels = torch_detect(self._model, canvas)
        height, width = picture.shape[:2]
        return np.clip(boxes / scale, 0, np.array([width, height, width, height])).astype(np.float32), scores, labels


def tried_blend(
    net: DetectorNet, share: float, validate: Sequence[DataSet], held: DataSet, recipe: DetectorRecipe
) -> Tried:
    """Measure one blend."""
    detector = NetDetector(net, recipe)
    replay = {one.config.name: known_ap50(evaluate_set(detector, one, recipe), recipe) for one in validate}
    return Tried(share, replay, answers_met(detector, held, recipe))


def known_ap50(result: SetResult, recipe: DetectorRecipe) -> float:
    """The labels' AP50, each counted by its boxes: in a small set one dog of three would else decide alone.

    Whether a rare label is lost is for the gate to say, whose sets are larger and which knows what is chance.
    """
    boxes = np.concatenate([sample_labels(one.sample, recipe) for one in result.found])
    names = list(recipe.labels)
    counts = [int((boxes == names.index(label)).sum()) for label in result.ap50]
    return float(np.average(list(result.ap50.values()), weights=counts))


def answers_met(detector: Detects, held: DataSet, recipe: DetectorRecipe) -> float:
    """How sure the detector is of what people confirmed, less how sure it is of what they denied; 0 without either.

    Only what was said counts: nobody knows what else is in a picture.
    """
    sure: dict[bool, list[float]] = {True: [], False: []}
    for sample in held.samples:
        boxes, scores, labels = detector.detect(read_picture(sample.path))
        names = np.array([index for index, group in enumerate(recipe.groups) for _ in group])
        for box, channel, weight in zip(sample.xyxy, sample.channels, sample.weights, strict=True):
            if weight not in (1.0, NOTHING):
                continue
            same = (labels == names[channel]) & (iou(box, boxes) >= 0.5 if len(boxes) else np.zeros(0, bool))
            sure[weight == 1.0].append(float(scores[same].max(initial=0.0)))
    return float(np.mean(sure[True] or [0.0]) - np.mean(sure[False] or [0.0]))


def chosen(tried: Sequence[Tried], most_lost: float) -> Tried:
    """The blend that meets the site's answers best among those that forget little; `tried[0]` is the start itself."""
    start = tried[0]
    bound = {name: value - most_lost for name, value in start.replay.items()}
    allowed = [one for one in tried if all(one.replay[name] >= least for name, least in bound.items())]
    return max(allowed, key=lambda one: (one.site, one.share))
