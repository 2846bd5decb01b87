"""How good boxes are, and how sure a difference between two models is: pure, over pictures that may weigh otherwise.

Average precision at IoU 0.5 is COCO's: precision made monotone and read at 101 recalls (Lin et al. 2014). Confidence is
the paired bootstrap over pictures (Efron and Tibshirani 1993): both models are measured on the same resampled pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.geometry import iou

Floats = NDArray[np.float64]
SAME_IOU = 0.5
RECALLS = np.linspace(0.0, 1.0, 101)
BINS = 10


@dataclass(frozen=True)
class Boxes:
    """Boxes of one picture: xyxy float[N,4] in its pixels, a label each, and scores (all 1 for the truth)."""

    xyxy: Floats
    labels: tuple[str, ...]
    scores: Floats


@dataclass(frozen=True)
class Picture:
    """One picture of a frozen set, with its camera and what is in it."""

    name: str
    camera: str
    truth: Boxes


@dataclass(frozen=True)
class Matches:
    """A model's boxes of one label, the most certain first, held against the truth.

    `scores`, `hits` and `pictures` (numbers) are one a box found; `counts` is how many boxes each picture really has.
    """

    scores: Floats
    hits: NDArray[np.bool_]
    pictures: NDArray[np.int64]
    counts: Floats


def match(pictures: Sequence[Picture], found: Sequence[Boxes], label: str) -> Matches:
    """Each box found meets the free one of the truth that it overlaps most, the most certain box first."""
    scores: list[float] = []
    hits: list[bool] = []
    numbers: list[int] = []
    counts = np.zeros(len(pictures))
    for number, (picture, boxes) in enumerate(zip(pictures, found, strict=True)):
        truth = picture.truth.xyxy[_are(picture.truth, label)]
        own = _are(boxes, label)
        counts[number] = len(truth)
        order = np.argsort(-boxes.scores[own], kind="stable")
        met = _met(iou(boxes.xyxy[own][order], truth))
        scores += boxes.scores[own][order].tolist()
        hits += [place >= 0 for place in met]
        numbers += [number] * len(met)
    order = np.argsort(-np.array(scores), kind="stable")
    return Matches(
        np.array(scores, float)[order], np.array(hits, bool)[order], np.array(numbers, np.int64)[order], counts
    )


def certainties(truth: Boxes, found: Boxes) -> Floats:
    """How certain the box is that meets each of the truth, as `match` says; 0 where none does."""
    sure = np.zeros(len(truth.labels))
    for label in set(truth.labels):
        places, own = np.flatnonzero(_are(truth, label)), _are(found, label)
        order = np.argsort(-found.scores[own], kind="stable")
        met = _met(iou(found.xyxy[own][order], truth.xyxy[places]))
        for place, score in zip(met, found.scores[own][order], strict=True):
            if place >= 0:
                sure[places[place]] = score
    return sure


def _met(overlaps: NDArray[Any]) -> list[int]:
    """Which of the truth each box found meets, of IoUs [found, truth], the most certain first; -1 for none."""
    free, met = np.ones(overlaps.shape[1], bool), list[int]()
    for row in overlaps:
        best = int(np.where(free, row, 0.0).argmax()) if len(row) else -1
        hit = best >= 0 and bool(free[best]) and row[best] >= SAME_IOU
        if hit:
            free[best] = False
        met.append(best if hit else -1)
    return met


def average_precision(matches: Matches, weights: Floats) -> float:
    """AP50 where picture p counts `weights[p]` times; NaN where these pictures have no box of the label."""
    boxes = float(weights @ matches.counts)
    if boxes == 0:
        return float("nan")
    each = weights[matches.pictures]
    right = np.cumsum(each * matches.hits)
    precision = right / np.maximum(np.cumsum(each), 1e-12)
    monotone = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(monotone[np.searchsorted(right / boxes, RECALLS, side="left")].mean())


def f1(matches: Matches, weights: Floats, threshold: float) -> float:
    """The harmonic mean of precision and recall of boxes from `threshold` on; NaN as for `average_precision`."""
    boxes = float(weights @ matches.counts)
    if boxes == 0:
        return float("nan")
    each = weights[matches.pictures] * (matches.scores >= threshold)
    return float(2 * (each @ matches.hits) / (boxes + each.sum()))


def calibration_error(matches: Sequence[Matches]) -> float:
    """How far scores are from the share of boxes that are right, in `BINS` bins (ECE: Guo et al. 2017)."""
    scores = np.concatenate([one.scores for one in matches]) if matches else np.zeros(0)
    hits = np.concatenate([one.hits for one in matches]) if matches else np.zeros(0, bool)
    if not len(scores):
        return 0.0
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    sizes = np.bincount(bins, minlength=BINS)
    gaps = np.abs(np.bincount(bins, scores, BINS) - np.bincount(bins, hits, BINS))
    return float(gaps[sizes > 0].sum() / len(scores))


def resampled(cameras: Sequence[str], times: int, seed: int) -> Floats:
    """Weights float[times, P] of pictures drawn with replacement, as many of each camera as there are."""
    random = np.random.default_rng(seed)
    weights = np.zeros((times, len(cameras)))
    for camera in sorted(set(cameras)):
        own = np.flatnonzero([one == camera for one in cameras])
        weights[:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=times)
    return weights


@dataclass(frozen=True)
class Change:
    """A figure before and after, and the bounds of `after - before` that hold with the wanted confidence each."""

    before: float
    after: float
    low: float
    high: float

    @property
    def gain(self) -> float:
        return self.after - self.before


Figure = Callable[[Floats], float]


def change(before: Figure, after: Figure, weights: Floats, confidence: float) -> Change:
    """Two figures on all pictures, and their difference on the resampled ones, each measured by both."""
    whole = np.ones(weights.shape[1])
    gains = np.array([after(row) - before(row) for row in weights])
    gains = gains[~np.isnan(gains)]  # resamples without a single box of the label say nothing
    low, high = np.quantile(gains, [1 - confidence, confidence]) if len(gains) else (-1.0, 1.0)
    return Change(before(whole), after(whole), float(low), float(high))


def _are(boxes: Boxes, label: str) -> NDArray[np.bool_]:
    return np.array([one == label for one in boxes.labels], bool)
