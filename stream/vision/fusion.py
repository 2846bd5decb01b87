"""Weighted box fusion: the boxes of several detectors become one list (Solovyev et al., arXiv:1910.13302)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def weighted_box_fusion(
    boxes: Sequence[Floats],
    scores: Sequence[Floats],
    labels: Sequence[Ints],
    weights: Sequence[float],
    iou_threshold: float = 0.55,
    judges: dict[int, float] | None = None,
) -> tuple[Floats, Floats, Ints]:
    """Fuse one picture's boxes of M detectors: xyxy [K,4], scores [K], labels [K], sorted by score.

    Each detector gives xyxy float[N,4], scores [N] and labels [N]. Boxes of one label that overlap become their
    mean weighted by score; its score is the mean over the detectors that know the label, so that one which
    sees nothing lowers it. `judges` is the weight of those detectors for a label (default: all of them).
    Raises ValueError when the lists have different lengths.
    """
    if not len(boxes) == len(scores) == len(labels) == len(weights):
        raise ValueError("a list of boxes, scores, labels and one weight is needed for each detector")
    flat_boxes = np.concatenate([np.asarray(b, np.float32).reshape(-1, 4) for b in boxes])
    flat_scores = np.concatenate([np.asarray(s, np.float32) * w for s, w in zip(scores, weights, strict=True)])
    flat_labels = np.concatenate([np.asarray(x, np.int64) for x in labels])
    owners = np.concatenate([np.full(len(s), i) for i, s in enumerate(scores)])
    seen = flat_scores > 0  # a box of score 0 is padding, or of a detector that has no say
    flat_boxes, flat_scores, flat_labels, owners = flat_boxes[seen], flat_scores[seen], flat_labels[seen], owners[seen]
    fused: list[tuple[Floats, float, int]] = []
    for label in np.unique(flat_labels):
        own = flat_labels == label
        total = (judges or {}).get(int(label), float(sum(weights)))
        for members in _clusters(flat_boxes[own], flat_scores[own], iou_threshold):
            box, score = _merge(flat_boxes[own][members], flat_scores[own][members], owners[own][members], total)
            fused.append((box, score, int(label)))
    fused.sort(key=lambda item: -item[1])
    return (
        np.array([box for box, _, _ in fused], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in fused], np.float32),
        np.array([label for _, _, label in fused], np.int64),
    )


def _clusters(boxes: Floats, scores: Floats, iou_threshold: float) -> list[list[int]]:
    """Best first, each box joins the cluster whose fused box it overlaps most, or opens one."""
    clusters: list[list[int]] = []
    centres = np.zeros((0, 4), np.float32)
    for index in np.argsort(-scores, kind="stable"):
        overlaps = iou(boxes[index], centres)
        if len(overlaps) and overlaps.max() > iou_threshold:
            best = int(overlaps.argmax())
            clusters[best].append(int(index))
            centres[best] = np.average(boxes[clusters[best]], axis=0, weights=scores[clusters[best]])
        else:
            clusters.append([int(index)])
            centres = np.concatenate((centres, boxes[index][None]))
    return clusters


def _merge(boxes: Floats, scores: Floats, owners: Ints, total: float) -> tuple[Floats, float]:
    """The weighted mean box, and each detector's best score summed over the weight of all that could have seen it."""
    best = sum(float(scores[owners == owner].max()) for owner in np.unique(owners))
    return np.average(boxes, axis=0, weights=scores).astype(np.float32), min(1.0, best / total)


def iou(box: Floats, others: Floats) -> Floats:
    """The overlap [N] of one xyxy box [4] with N others [N,4]."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    inner = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    joint: Floats = inner / np.maximum((box[2:] - box[:2]).prod() + areas - inner, 1e-9)
    return joint
