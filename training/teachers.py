"""Public detectors that label what no person has labelled: their boxes, fused, with a certainty each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stream.vision.fusion import weighted_box_fusion
from training.dataset import DataSet, Picture, Sample, letterbox
from training.layers import STRIDES
from training.looked import Arrays, looked_at
from training.network import COCO_NAMES
from training.recipe import DetectorRecipe, TeacherConfig

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Boxes = tuple[Floats, Floats, Ints]

LEAST_SCORE = 0.05
PARTS = ("boxes", "scores", "labels")


class Teacher:
    """One public ONNX detector; `detect` gives xyxy in pixels of the picture, scores and COCO class numbers."""

    def __init__(
        self, config: TeacherConfig, data: Path, threads: int, least_score: float = LEAST_SCORE, nms_iou: float = 0.6
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.config = config
        self._least_score = least_score
        self._nms_iou = nms_iou
        self._session = onnxruntime.InferenceSession(
            str(data / config.weights), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0]

    def detect(self, picture: Picture) -> Boxes:
        """The picture's boxes over all zooms, the whole one both ways round, after suppression."""
        found: list[Boxes] = []
        for x, y, width, height in _windows(picture, self.config.zooms):
            window = picture[y : y + height, x : x + width]
            boxes, scores, labels = self.look(window)
            found.append((boxes + np.array([x, y, x, y], np.float32), scores, labels))
            if width < picture.shape[1]:
                continue  # both ways round only for the whole picture: it costs as much as a window
            boxes, scores, labels = self.look(np.ascontiguousarray(window[:, ::-1]))
            mirrored = np.stack((width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]), 1)
            found.append((mirrored.astype(np.float32) + np.array([x, y, x, y], np.float32), scores, labels))
        boxes, scores, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = suppress(boxes, scores, labels, 0.6)
        return boxes[kept], scores[kept], labels[kept]

    def look(self, picture: Picture) -> Boxes:
        """The boxes of one look at the whole picture, as an application would have them."""
        size = int(self._input.shape[2])
        canvas, scale = letterbox(picture, size)
        pixels = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        if self.config.kind == "nanodet":
            mean = np.array([103.53, 116.28, 123.675], np.float32).reshape(1, 3, 1, 1)
            std = np.array([57.375, 57.12, 58.395], np.float32).reshape(1, 3, 1, 1)
            pixels = (pixels - mean) / std
        outputs = self._session.run(None, {self._input.name: pixels})
        cells, scores = (
            decode_nanodet(outputs, size) if self.config.kind == "nanodet" else decode_yolox(outputs[0][0], size)
        )
        rows, labels = (scores > self._least_score).nonzero()
        boxes = cells[rows] / scale
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, picture.shape[1])
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, picture.shape[0])
        values = scores[rows, labels].astype(np.float32)
        kept = suppress(boxes, values, labels, self._nms_iou)
        return boxes[kept].astype(np.float32), values[kept], labels[kept].astype(np.int64)


def decode_yolox(raw: Floats, size: int) -> tuple[Floats, Floats]:
    """YOLOX's raw head [A,5+C] as xyxy [A,4] in input pixels and scores [A,C]."""
    grid, stride = _cells(size)
    centres = (raw[:, :2] + grid) * stride
    half = np.exp(raw[:, 2:4]) * stride / 2
    return np.concatenate((centres - half, centres + half), 1), raw[:, 4:5] * raw[:, 5:]


def decode_nanodet(outputs: Sequence[Floats], size: int) -> tuple[Floats, Floats]:
    """NanoDet's three score and three distance outputs (8 bins a side) as xyxy [A,4] and scores [A,80]."""
    scores = np.concatenate([output[0] for output in outputs[:3]])
    bins = np.concatenate([output[0] for output in outputs[3:]]).reshape(-1, 4, 8)
    share = np.exp(bins - bins.max(-1, keepdims=True))
    sides = (share / share.sum(-1, keepdims=True)) @ np.arange(8, dtype=np.float32)
    grid, stride = _cells(size)
    centres = (grid + 0.5) * stride
    return np.concatenate((centres - sides[:, :2] * stride, centres + sides[:, 2:] * stride), 1), scores


def suppress(boxes: Floats, scores: Floats, labels: Ints, iou_threshold: float) -> Ints:
    """Greedy suppression within each label: the indices kept, best first."""
    shifted = boxes + labels[:, None].astype(np.float32) * 1e5
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(shifted[best, :2], shifted[rest, :2])
        high = np.minimum(shifted[best, 2:], shifted[rest, 2:])
        inner = np.clip(high - low, 0, None).prod(1)
        order = rest[inner <= iou_threshold * (areas[best] + areas[rest] - inner)]
    return np.array(kept, np.int64)


def _cells(size: int) -> tuple[Floats, Floats]:
    grids, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size // stride, : size // stride]
        grids.append(np.stack((x, y), -1).reshape(-1, 2))
        strides.append(np.full((grids[-1].shape[0], 1), stride))
    return np.concatenate(grids).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _windows(picture: Picture, zooms: Sequence[float]) -> list[tuple[int, int, int, int]]:
    """x, y, width, height of the windows to look through: at zoom 2, four that overlap by a fifth."""
    height, width = picture.shape[:2]
    windows = []
    for zoom in zooms:
        if zoom == 1.0:
            windows.append((0, 0, width, height))
            continue
        w, h = round(width * 1.2 / zoom), round(height * 1.2 / zoom)
        windows += [(x, y, w, h) for x in (0, width - w) for y in (0, height - h)]
    return windows


def label_with_teachers(sets: Sequence[DataSet], recipe: DetectorRecipe, data: Path, folder: Path) -> list[DataSet]:
    """Add the teachers' fused boxes for the channels that a set does not know; `folder` keeps them, as they are found.

    A box surer than `teacher_sure` is learnt with its score as weight, one above `teacher_unsure` is ignored.
    """
    if not recipe.teachers:
        return list(sets)

    @cache
    def teachers() -> list[Teacher]:
        return [Teacher(config, data, recipe.schedule.threads) for config in recipe.teachers]

    digest = hashlib.sha256(msgspec.json.encode(recipe.teachers)).hexdigest()[:12]
    labelled = []
    for item in sets:
        if item.config.knows == "all":
            labelled.append(item)
            continue
        path = folder / f"teachers-{digest}" / f"{item.config.name}.npz"
        stored = looked_at(item, PARTS, lambda picture: _fused(teachers(), picture), path)
        samples = tuple(_with_teachers(sample, stored, item.config.knows, recipe) for sample in item.samples)
        labelled.append(replace(item, samples=samples))
    return labelled


def _fused(teachers: Sequence[Teacher], picture: Picture) -> Boxes:
    found = [teacher.detect(picture) for teacher in teachers]
    weights = [teacher.config.weight for teacher in teachers]
    # The person detector can't be held against a car: for all else the COCO detectors judge alone.
    coco = sum(t.config.weight for t in teachers if t.config.kind != "person")
    judges = dict.fromkeys(range(1, len(COCO_NAMES)), coco)
    boxes, scores, labels = zip(*found, strict=True)
    return weighted_box_fusion(boxes, scores, labels, weights, judges=judges)


def _with_teachers(sample: Sample, stored: Arrays, knows: Sequence[str], recipe: DetectorRecipe) -> Sample:
    order = {channel: index for index, channel in enumerate(recipe.channels) if channel not in knows}
    boxes, scores, labels = (np.asarray(stored[f"{sample.key}:{part}"]) for part in PARTS)
    channels = np.array([order.get(COCO_NAMES[label], -1) for label in labels.astype(int)], np.int64)
    use = (channels >= 0) & (scores >= recipe.teacher_unsure)
    weights = np.where(scores >= recipe.teacher_sure, scores, 0).astype(np.float32)
    return replace(
        sample,
        xyxy=np.concatenate((sample.xyxy, boxes[use].astype(np.float32).reshape(-1, 4))),
        channels=np.concatenate((sample.channels, channels[use])),
        weights=np.concatenate((sample.weights, weights[use])),
    )
