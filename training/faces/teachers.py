"""Public face detectors that label pictures: YuNet (boxes, five points) and UltraFace (boxes), fused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.vision.fusion import iou, weighted_box_fusion
from training.dataset import DataSet, Picture
from training.faces.recipe import FaceTeacherConfig
from training.faces.yunet import POINTS
from training.layers import STRIDES
from training.looked import looked_at
from training.predict import open_session
from training.teachers import suppress

Floats = NDArray[np.float32]

LEAST_SCORE = 0.1
PARTS = ("xyxy", "scores", "points")
SUPPRESSION_IOU = 0.45
# YuNet finds faces of 10 to some 300 pixels: the picture is looked at with its long side this many pixels large. A
# face of 600 pixels is found in the small copy, one of 10 in the large one.
YUNET_SIDES = (320, 640, 1280)
MOST_ENLARGED = 3.0
# A YuNet box that overlaps the fused one so much lends it its points.
SAME_FACE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class FaceBoxes:
    """Faces of one picture, in its pixels, best first: xyxy [N,4], scores [N], points [N,5,2] (NaN where unknown)."""

    xyxy: Floats
    scores: Floats
    points: Floats


class YunetTeacher:
    """The public YuNet, which looks at a picture in several sizes."""

    def __init__(self, weights: Path, sides: Sequence[int] = YUNET_SIDES) -> None:
        self._session = open_session(weights, 1)
        self._sides = sides

    def find(self, picture: Picture) -> FaceBoxes:
        """The faces over all sizes after suppression."""
        longest = max(picture.shape[:2])
        scales = {min(side / longest, MOST_ENLARGED) for side in self._sides}
        parts = [self.look(picture, scale) for scale in sorted(scales)]
        xyxy, scores, points = (np.concatenate(values) for values in zip(*parts, strict=True))
        kept = suppress(xyxy, scores, np.zeros(len(scores), np.int64), SUPPRESSION_IOU)
        return FaceBoxes(xyxy[kept], scores[kept], points[kept])

    def look(self, picture: Picture, scale: float) -> tuple[Floats, Floats, Floats]:
        """Boxes, scores (the geometric mean of its two) and points of one size, not yet suppressed."""
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        canvas = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.uint8)
        canvas[:height, :width] = scaled
        pixels = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]
        outputs = iter(self._session.run(names, {self._session.get_inputs()[0].name: pixels}))
        found = []
        for stride in STRIDES:
            face, objectness, box, points = (next(outputs)[0] for _ in range(4))
            y, x = np.mgrid[: canvas.shape[0] // stride, : canvas.shape[1] // stride]
            corner = np.stack((x, y), -1).reshape(-1, 2).astype(np.float32)
            score = np.sqrt(face[:, 0] * objectness[:, 0])
            keep = score > LEAST_SCORE
            centre, half = (box[keep, :2] + corner[keep]) * stride, np.exp(box[keep, 2:]) * stride / 2
            five = (points[keep].reshape(-1, POINTS, 2) + corner[keep][:, None]) * stride
            found.append((np.concatenate((centre - half, centre + half), 1) / scale, score[keep], five / scale))
        xyxy, scores, fives = (np.concatenate(values) for values in zip(*found, strict=True))
        return xyxy.astype(np.float32), scores.astype(np.float32), fives.astype(np.float32)


class UltrafaceTeacher:
    """The public UltraFace (RFB), which gives boxes only."""

    def __init__(self, weights: Path) -> None:
        self._session = open_session(weights, 1)
        self._input = self._session.get_inputs()[0]

    def find(self, picture: Picture) -> FaceBoxes:
        """The faces of one look at the whole picture, stretched to the network's shape as it was trained."""
        height, width = picture.shape[:2]
        _, _, rows, columns = self._input.shape
        rgb = cv2.resize(picture, (columns, rows))[..., ::-1]
        pixels = ((rgb.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
        confidence, boxes = self._session.run(["scores", "boxes"], {self._input.name: pixels})
        keep = confidence[0, :, 1] > LEAST_SCORE
        xyxy = (boxes[0, keep] * np.array([width, height] * 2)).astype(np.float32)
        scores = confidence[0, keep, 1].astype(np.float32)
        kept = suppress(xyxy, scores, np.zeros(len(scores), np.int64), SUPPRESSION_IOU)
        return FaceBoxes(xyxy[kept], scores[kept], np.full((len(kept), POINTS, 2), np.nan, np.float32))


class FaceTeachers:
    """Several face detectors as one: boxes and scores by weighted fusion, points from the best box that has some."""

    def __init__(self, configs: Sequence[FaceTeacherConfig], data: Path) -> None:
        kinds = {"yunet": YunetTeacher, "ultraface": UltrafaceTeacher}
        self._teachers = [kinds[config.kind](data / config.weights) for config in configs]
        self._weights = [config.weight for config in configs]

    def find(self, picture: Picture) -> FaceBoxes:
        """The fused faces of a picture."""
        found = [teacher.find(picture) for teacher in self._teachers]
        zeros = [np.zeros(len(item.scores), np.int64) for item in found]
        xyxy, scores, _ = weighted_box_fusion(
            [item.xyxy for item in found], [item.scores for item in found], zeros, self._weights
        )
        theirs = FaceBoxes(*(np.concatenate([getattr(f, k) for f in found]) for k in PARTS))
        points = np.full((len(scores), POINTS, 2), np.nan, np.float32)
        for place, box in enumerate(xyxy):
            usable = (iou(box, theirs.xyxy) >= SAME_FACE_IOU) & ~np.isnan(theirs.points[:, 0, 0])
            if usable.any():
                points[place] = theirs.points[int(np.argmax(np.where(usable, theirs.scores, -1)))]
        return FaceBoxes(xyxy, scores, points)


def label_faces(
    sets: Sequence[DataSet], configs: Sequence[FaceTeacherConfig], data: Path, folder: Path
) -> dict[str, FaceBoxes]:
    """The teachers' fused faces of every picture by its sample's key; `folder` keeps them, as they are found."""

    @cache
    def teachers() -> FaceTeachers:
        return FaceTeachers(configs, data)

    def look(picture: Picture) -> tuple[Floats, ...]:
        found = teachers().find(picture)
        return found.xyxy, found.scores, found.points

    digest = hashlib.sha256(msgspec.json.encode(tuple(configs))).hexdigest()[:12]
    labels: dict[str, FaceBoxes] = {}
    for item in sets:
        stored = looked_at(item, PARTS, look, folder / f"faces-{digest}" / f"{item.config.name}.npz")
        for sample in item.samples:
            labels[sample.key] = FaceBoxes(*(np.asarray(stored[f"{sample.key}:{part}"], np.float32) for part in PARTS))
    return labels
