"""How good a detector is: average precision by faster-coco-eval, precision and recall, thresholds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray
from tqdm import tqdm

from stream.vision.fusion import iou
from training.dataset import DataSet, Sample, read_picture
from training.predict import Detects
from training.recipe import DetectorRecipe
from training.teachers import Boxes

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """A detector's boxes in one picture of this width and height, beside the picture's sample."""

    sample: Sample
    size: tuple[int, int]
    boxes: Floats
    scores: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Detections of one label over a set, best first: scores [K], whether each met a box [K]; and all boxes' count."""

    scores: Floats
    hits: NDArray[np.bool_]
    boxes: int

    @property
    def precision(self) -> NDArray[np.float64]:
        return np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)

    @property
    def recall(self) -> NDArray[np.float64]:
        return np.cumsum(self.hits) / max(1, self.boxes)


@dataclass(frozen=True, slots=True)
class SetResult:
    """One detector on one set: AP50 and AP50-95 by label, their means, and the raw detections."""

    name: str
    ap50: dict[str, float]
    ap: dict[str, float]
    found: tuple[Found, ...] = field(repr=False)

    @property
    def mean_ap50(self) -> float:
        return float(np.mean(list(self.ap50.values())))

    @property
    def mean_ap(self) -> float:
        return float(np.mean(list(self.ap.values())))


def evaluate_set(detector: Detects, data: DataSet, recipe: DetectorRecipe) -> SetResult:
    """Run the detector over the set; labels that the set does not know, or has no box of, are not counted."""
    found: list[Found] = []
    for sample in tqdm(data.samples, desc=data.config.name):
        picture = read_picture(sample.path)
        size = picture.shape[1], picture.shape[0]
        found.append(Found(sample, size, *_known(*detector.detect(picture), data, recipe)))
    return SetResult(data.config.name, *average_precision(found, recipe), tuple(found))


def average_precision(found: Sequence[Found], recipe: DetectorRecipe) -> tuple[dict[str, float], dict[str, float]]:
    """AP at IoU 0.5 and AP over 0.50:0.95, by label."""
    names = list(recipe.labels)
    truth, results = _as_coco(found, recipe)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(truth)
        answers = reference.loadRes(results) if results else COCO(truth | {"annotations": []})
        run = COCOeval_faster(reference, answers, "bbox")
        run.params.maxDets = [1, 10, 100]
        run.run()
    precision = run.eval["precision"]  # [IoU, recall, class, area, detections]
    ap50: dict[str, float] = {}
    ap: dict[str, float] = {}
    for label, name in enumerate(names):
        values = precision[:, :, label, 0, -1]
        if (values > -1).any():
            ap50[name], ap[name] = float(values[0].mean()), float(values.mean())
    return ap50, ap


def match(found: Sequence[Found], label: int, recipe: DetectorRecipe, iou_threshold: float = 0.5) -> Matches:
    """Match detections to boxes, best first, each box once; for curves, calibration and thresholds."""
    scores: list[float] = []
    hits: list[bool] = []
    boxes = 0
    for item in found:
        truth = item.sample.xyxy[sample_labels(item.sample, recipe) == label]
        boxes += len(truth)
        own = item.labels == label
        free = np.ones(len(truth), bool)
        order = np.argsort(-item.scores[own], kind="stable")
        for box, score in zip(item.boxes[own][order], item.scores[own][order], strict=True):
            overlaps = np.where(free, iou(box, truth), 0) if len(truth) else np.zeros(0)
            hit = len(overlaps) > 0 and float(overlaps.max()) >= iou_threshold
            if hit:
                free[int(overlaps.argmax())] = False
            scores.append(float(score))
            hits.append(hit)
    order = np.argsort(-np.array(scores), kind="stable")
    return Matches(np.array(scores, np.float32)[order], np.array(hits, bool)[order], boxes)


def threshold_at_precision(matches: Matches, precision: float, default: float) -> float:
    """The least score from which up this share of detections is right; `default` where nothing reaches it."""
    good = np.nonzero(matches.precision >= precision)[0]
    return round(float(matches.scores[good[-1]]), 3) if len(good) else default


def sample_labels(sample: Sample, recipe: DetectorRecipe) -> NDArray[np.int64]:
    """The labels of the sample's boxes (several channels may be one label)."""
    return _label_of_channel(recipe)[sample.channels]


def _label_of_channel(recipe: DetectorRecipe) -> NDArray[np.int64]:
    labels = np.zeros(len(recipe.channels), np.int64)
    for label, group in enumerate(recipe.groups):
        labels[list(group)] = label
    return labels


def _known(boxes: Floats, scores: Floats, labels: NDArray[np.int64], data: DataSet, recipe: DetectorRecipe) -> Boxes:
    knows = recipe.channels if data.config.knows == "all" else data.config.knows
    own = {label for label, group in enumerate(recipe.groups) if all(recipe.channels[c] in knows for c in group)}
    keep = np.isin(labels, list(own))
    return boxes[keep], scores[keep], labels[keep].astype(np.int64)


def _as_coco(found: Sequence[Found], recipe: DetectorRecipe) -> tuple[dict[str, object], list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for image, item in enumerate(found, 1):
        for box, label in zip(item.sample.xyxy, sample_labels(item.sample, recipe), strict=True):
            x, y, w, h = _xywh(box)
            annotation = {"id": len(annotations) + 1, "image_id": image, "category_id": int(label) + 1}
            annotations.append(annotation | {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        for box, score, label in zip(item.boxes, item.scores, item.labels, strict=True):
            results.append(
                {"image_id": image, "category_id": int(label) + 1, "bbox": _xywh(box), "score": float(score)}
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(recipe.labels, 1)]
    images = [{"id": i, "width": item.size[0], "height": item.size[1]} for i, item in enumerate(found, 1)]
    return {"images": images, "annotations": annotations, "categories": categories, "info": {}}, results


def _xywh(box: Floats) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]
