"""Detectors behind one face for evaluation: ours as exported, and the public YOLOX that ours is held against."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contracts.errors import ModelError
from training.dataset import Picture, letterbox
from training.network import COCO_NAMES
from training.recipe import DetectorRecipe, TeacherConfig
from training.teachers import Boxes, Teacher

OUTPUTS = ("boxes", "scores", "classes")


class Detects(Protocol):
    """Anything that finds boxes: xyxy [N,4] in pixels of the picture, scores [N], label numbers [N]."""

    def detect(self, picture: Picture) -> Boxes: ...


class ExportedDetector:
    """A detector in the form that the product runs (see export.py)."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.session = open_session(path, threads)
        shape = self.session.get_inputs()[0].shape
        if len(shape) != 4 or shape[3] != 3:
            raise ModelError(f"{path.name}: the input is {shape}, not [N, S, S, 3]")
        self.size = int(shape[1])

    def detect(self, picture: Picture) -> Boxes:
        canvas, scale = letterbox(picture, self.size)
        boxes, scores, classes = (output[0] for output in self.session.run(OUTPUTS, {"images": canvas[None]}))
        found = scores > 0
        height, width = picture.shape[:2]
        clipped = np.clip(boxes[found] / scale, 0, np.array([width, height, width, height]))
        return clipped.astype(np.float32), scores[found], classes[found]


class PublicYolox:
    """The public YOLOX file with its COCO classes taken as our labels."""

    def __init__(self, weights: Path, recipe: DetectorRecipe, threads: int = 1) -> None:
        config = TeacherConfig(weights=weights.name, kind="yolox")
        self._teacher = Teacher(config, weights.parent, threads, least_score=0.01, nms_iou=0.65)
        channel_label = {recipe.channels[c]: label for label, group in enumerate(recipe.groups) for c in group}
        self._labels = np.array([channel_label.get(name, -1) for name in COCO_NAMES])

    def detect(self, picture: Picture) -> Boxes:
        boxes, scores, classes = self._teacher.look(picture)
        labels = self._labels[classes]
        return boxes[labels >= 0], scores[labels >= 0], labels[labels >= 0]


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """A CPU session of this many threads; ModelError when the file can't be loaded."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors: some public files draw a warning for every weight
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base but Exception
        raise ModelError(f"{path.name}: {error}") from error


def time_ratio(ours: Path, theirs: Path, pictures: list[NDArray[np.uint8]], rounds: int = 3) -> float:
    """Median time of ours over that of the public YOLOX on one core, on the same letterboxed pictures, taken in turn.

    Ours has pre-processing and suppression inside; theirs is the bare network, without either, and gets each picture
    at its own file's size.
    """
    one, other = open_session(ours, 1), open_session(theirs, 1)
    name, (*_, height, width) = other.get_inputs()[0].name, other.get_inputs()[0].shape
    spent: tuple[list[float], list[float]] = ([], [])
    for picture in pictures * rounds:
        floats = cv2.resize(picture, (width, height)).transpose(2, 0, 1)[None].astype(np.float32)
        start = time.perf_counter()
        one.run(None, {"images": picture[None]})
        middle = time.perf_counter()
        other.run(None, {name: floats})
        spent[0].append(middle - start)
        spent[1].append(time.perf_counter() - middle)
    return float(np.median(spent[0]) / np.median(spent[1]))
