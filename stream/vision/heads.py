"""The two ways in which detectors take pictures and give boxes: what goes in, what must come out, how it is read."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ModelError
from contracts.manifest import ModelManifest
from stream.vision.image import Picture

Outputs = tuple[NDArray[Any], ...]
"""What a model gave for one picture: its outputs without the batch axis."""

YOLOX_STRIDES = (8, 16, 32)

MAX_CANDIDATES = 1000
"""Boxes that enter suppression, the most confident ones: its time grows with their square, and a street full of
people gives some 300."""

MAX_EMBEDDING = 512
"""The longest appearance vector, numbers: as float16 1 KB a box on the wire."""

MAX_SIDE = 4096
"""The largest side of a model's input, px: 200 MB as float32. Detectors in use have up to 1280."""


class Boxes(NamedTuple):
    """Boxes in one picture, in pixels of the model's input; `label_ids` index the names that the head was given.

    `embeddings` float32[N,D] are their appearance (a row of zeros for a box without), None from a model without.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    label_ids: NDArray[np.int64]
    embeddings: NDArray[np.float32] | None = None

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Boxes:
        """The boxes that a mask or an index chooses."""
        looks = None if self.embeddings is None else self.embeddings[keep]
        return Boxes(self.xyxy[keep], self.confidence[keep], self.label_ids[keep], looks)


class Labels:
    """The manifest's labels after its `label_map`: `names` without repeats, and each class's place in them."""

    def __init__(self, manifest: ModelManifest) -> None:
        unknown = sorted(set(manifest.label_map) - set(manifest.labels))
        if unknown:
            raise ModelError(f"{manifest.id}: label_map names {', '.join(unknown)}, which the model has not")
        mapping = manifest.label_map or {label: label for label in manifest.labels}
        self.names = tuple(dict.fromkeys(mapping[label] for label in manifest.labels if label in mapping))
        places = {name: place for place, name in enumerate(self.names)}
        self.of_class = np.array(
            [places[mapping[label]] if label in mapping else -1 for label in manifest.labels], np.int64
        )
        """int64[C]: the place in `names` of each class, -1 for those that are dropped."""


class Head(Protocol):
    """One layout.

    Types are onnxruntime's names, `input_shape` is without the batch; `outputs` are the names that are asked for and
    the types that each may have, empty for all that there are.
    """

    input_type: str
    input_shape: tuple[int, int, int]
    outputs: tuple[tuple[str, tuple[str, ...]], ...]

    def feed(self, pictures: list[Picture]) -> NDArray[Any]:
        """The input array for pictures uint8[H,W,3] BGR of the input's size."""

    def check(self, outputs: Outputs) -> str:
        """What is wrong with the shapes of one picture's outputs, or nothing."""

    def read(self, outputs: Outputs) -> Boxes:
        """The boxes that are at least `low_threshold` sure, of the labels that are kept."""


def head_of(manifest: ModelManifest, labels: Labels) -> Head:
    """The head that the manifest's layout names; ModelError for an input or labels that no model has."""
    width, height = manifest.input.width, manifest.input.height
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ModelError(f"{manifest.id}: an input of {width}x{height}; sides are from 1 to {MAX_SIDE}")
    if not manifest.labels:
        raise ModelError(f"{manifest.id}: has no labels")
    if not 0 <= manifest.embedding <= MAX_EMBEDDING:
        raise ModelError(f"{manifest.id}: an embedding of {manifest.embedding}; it has 0 to {MAX_EMBEDDING} numbers")
    if manifest.embedding and manifest.layout != "boxes":
        raise ModelError(f"{manifest.id}: only the layout boxes gives embeddings, not {manifest.layout}")
    return YoloxHead(manifest, labels) if manifest.layout == "yolox" else BoxesHead(manifest, labels)


class BoxesHead:
    """Post-processing inside the model: uint8 NHWC in; boxes[M,4] xyxy, scores[M], classes[M] out (-1: none).

    And embeddings[M,D] where the manifest says so.
    """

    input_type = "tensor(uint8)"

    def __init__(self, manifest: ModelManifest, labels: Labels) -> None:
        self.outputs: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("boxes", ("tensor(float)",)),
            ("scores", ("tensor(float)",)),
            ("classes", ("tensor(int64)", "tensor(int32)")),
        )
        if manifest.embedding:
            self.outputs += (("embeddings", ("tensor(float)",)),)
        self.input_shape = (manifest.input.height, manifest.input.width, 3)
        self._manifest = manifest
        self._labels = labels

    def feed(self, pictures: list[Picture]) -> NDArray[Any]:
        """uint8[N,H,W,3]."""
        batch = pictures[0][None] if len(pictures) == 1 else np.stack(pictures)
        return batch if self._manifest.input.channels == "bgr" else np.ascontiguousarray(batch[..., ::-1])

    def check(self, outputs: Outputs) -> str:
        """What is wrong with the shapes, or nothing."""
        shapes = [output.shape for output in outputs]
        count = len(outputs[1]) if outputs[1].ndim else 0
        width = self._manifest.embedding
        wanted: list[tuple[int, ...]] = [(count, 4), (count,), (count,)]
        if width:
            wanted.append((count, width))
        names = ", ".join(name for name, _ in self.outputs)
        return "" if shapes == wanted else f"{names} have the shapes {shapes}, not {wanted}"

    def read(self, outputs: Outputs) -> Boxes:
        """The boxes of one picture; ModelError for a class that the manifest doesn't name."""
        xyxy, scores, classes, *rest = outputs
        sure = (scores >= self._manifest.low_threshold) & (classes >= 0)
        known = classes[sure]
        if known.size and known.max() >= len(self._labels.of_class):
            raise ModelError(
                f"{self._manifest.id}: gave class {known.max()}, the manifest has {len(self._labels.of_class)}"
            )
        looks = np.asarray(rest[0][sure], np.float32) if rest else None
        found = Boxes(xyxy[sure], scores[sure], self._labels.of_class[known], looks)
        return found.where(found.label_ids >= 0)


class YoloxHead:
    """The raw head of the YOLOX family: float NCHW 0-255 in; [A, 5+C] out, A cells of three grids.

    A cell holds the box's centre and log size in units of its stride, objectness and the class scores (Ge et al.,
    YOLOX: Exceeding YOLO Series in 2021, and its `demo_postprocess`). Suppression is by label.
    """

    input_type = "tensor(float)"
    outputs: tuple[tuple[str, tuple[str, ...]], ...] = ()  # one output, of any name

    def __init__(self, manifest: ModelManifest, labels: Labels) -> None:
        width, height = manifest.input.width, manifest.input.height
        if width % YOLOX_STRIDES[-1] or height % YOLOX_STRIDES[-1]:
            raise ModelError(f"{manifest.id}: an input of {width}x{height} is no multiple of {YOLOX_STRIDES[-1]}")
        self.input_shape = (3, height, width)
        self._manifest = manifest
        self._labels = labels
        self._cells, self._strides = _grid(width, height)

    def feed(self, pictures: list[Picture]) -> NDArray[Any]:
        """float32[N,3,H,W]."""
        batch = np.empty((len(pictures), *self.input_shape), np.float32)
        for place, picture in enumerate(pictures):
            channels = picture if self._manifest.input.channels == "bgr" else picture[..., ::-1]
            batch[place] = channels.transpose(2, 0, 1)
        return batch

    def check(self, outputs: Outputs) -> str:
        """What is wrong with the shape, or nothing."""
        wanted = (len(self._cells), 5 + len(self._manifest.labels))
        if len(outputs) == 1 and outputs[0].shape == wanted:
            return ""
        shapes = [list(output.shape) for output in outputs]
        return f"a picture gives {shapes}, {wanted[1] - 5} labels and this input size make one of {list(wanted)}"

    def read(self, outputs: Outputs) -> Boxes:
        """The boxes of one picture after suppression."""
        raw = np.asarray(outputs[0], np.float32)
        likely = np.flatnonzero(raw[:, 4] >= self._manifest.low_threshold)  # a score is objectness times at most 1
        cells = raw[likely]
        classes = cells[:, 5:].argmax(axis=1)
        scores = cells[:, 4] * cells[np.arange(len(cells)), 5 + classes]
        label_ids = self._labels.of_class[classes]
        numbers = ~np.isnan(cells[:, :4]).any(axis=1)
        keep = np.flatnonzero((scores >= self._manifest.low_threshold) & (label_ids >= 0) & numbers)
        keep = keep[np.argsort(-scores[keep], kind="stable")][:MAX_CANDIDATES]
        at = likely[keep]
        found = Boxes(self._decode(cells[keep, :4], at), scores[keep], label_ids[keep])
        return found.where(suppress(found, self._manifest.nms_iou))

    def _decode(self, cells: NDArray[np.float32], at: NDArray[np.int64]) -> NDArray[np.float32]:
        stride = self._strides[at, None]
        # 10,000 cells and e^20 are beyond any picture, and their areas within float32
        centre = (np.clip(cells[:, :2], -1e4, 1e4) + self._cells[at]) * stride
        half = np.exp(np.minimum(cells[:, 2:], 20.0)) * stride / 2
        return np.concatenate((centre - half, centre + half), axis=1)


def suppress(boxes: Boxes, iou_threshold: float) -> NDArray[np.int64]:
    """Places of the boxes that stay: greedy non-maximum suppression by label; `boxes` come most confident first.

    The comparison shared > t (a + b - shared) is written as shared (1 + t) > t a + t b: without division and in
    float32 it takes a third of the time of `geometry.iou`, which would be 2 % of a whole frame.
    """
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.xyxy.T)
    parts = (iou_threshold * (x2 - x1) * (y2 - y1)).astype(np.float32)
    shared = _overlap(x1, x2)
    shared *= _overlap(y1, y2)
    shared *= np.float32(1 + iou_threshold)
    harmless = (shared <= parts[:, None] + parts) | (boxes.label_ids[:, None] != boxes.label_ids)
    alive = np.ones(len(x1), np.bool_)
    for place in range(len(x1)):
        if alive[place]:
            alive[place + 1 :] &= harmless[place, place + 1 :]
    return np.flatnonzero(alive)


def _overlap(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length [N,N] that each span low..high [N] shares with each other one."""
    length: NDArray[np.float32] = np.minimum(high[:, None], high)
    length -= np.maximum(low[:, None], low)
    return np.maximum(length, 0, out=length)


def _grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Column and row [A,2] of each cell and its stride [A], finest grid first, row by row."""
    cells, strides = [], []
    for stride in YOLOX_STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack((columns.ravel(), rows.ravel()), axis=1))
        strides.append(np.full(rows.size, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
