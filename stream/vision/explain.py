"""Where in a picture a model saw what it says: by covering parts of it, or by a classifier's own last maps.

`occlusion` asks the model alone (Zeiler and Fergus, arXiv:1311.2901, figure 7): a part that is covered and lowers the
score was a reason. Any model will do; the number of runs is fixed beforehand. For a detector the score is that of the
box that is explained (D-RISE, arXiv:2006.03204, equation 2): of the boxes with its label, the greatest product of
confidence and overlap.

`class_activation` looks inside a classifier whose last maps are averaged (CAM, arXiv:1512.04150): behind that mean a
linear layer says how much each map counts for a class. Where there is no such layer the maps' first principal component
stands for them (Eigen-CAM, arXiv:2008.00299), which is the same for every class. No gradients: one run.

Nothing here is random, so an explanation is the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ModelError
from contracts.manifest import ModelManifest
from stream.geometry import iou
from stream.vision import onnx_graph
from stream.vision.image import Picture
from stream.vision.onnx_graph import Node
from stream.vision.session import Session, SessionOptions, open_runtime

Score = Callable[[list[Picture]], list[float]]
"""What the model gives for each of these pictures (uint8[H,W,3] BGR, all of one size): the more, the surer."""

Window = tuple[int, int, int, int]
"""A part of a picture: x1, y1, x2, y2 in whole pixels."""

AVERAGES = ("GlobalAveragePool", "ReduceMean")
PASSING = ("Flatten", "Reshape", "Squeeze", "Identity", "Dropout")
OVERLAY_STRENGTH = 0.8


@dataclass(frozen=True)
class OcclusionConfig:
    """How finely it is looked: about `cells` parts, each covered with `spread` times its side, `batch` at a time."""

    cells: int = 100
    spread: float = 2.0
    batch: int = 8


class Heat(NamedTuple):
    """float32[H,W] over the picture, 0-1, 1 where the reason was strongest (all 0: nowhere); and the picture's score.

    `runs` is how many pictures the model was shown.
    """

    values: NDArray[np.float32]
    score: float
    runs: int


def occlusion(score: Score, picture: Picture, window: Window, config: OcclusionConfig | None = None) -> Heat:
    """Cover each part of the window in turn with what is around it, smeared, and see how far the score falls.

    A pixel's heat is the mean fall of all parts that cover it. On pictures of Penn-Fudan its hottest 15 % count 1.7
    times as much as others of that size; each part's fall at its middle alone would be 1.5, larger parts 1.6 or less.
    """
    config = config or OcclusionConfig()
    columns, rows = grid_of(window[2] - window[0], window[3] - window[1], config.cells)
    smeared = _smeared(picture, window)
    parts = [
        _part(window, (columns, rows), (column, row), config.spread) for row in range(rows) for column in range(columns)
    ]
    base = score([picture])[0]
    fallen, times = np.zeros(picture.shape[:2], np.float32), np.zeros(picture.shape[:2], np.float32)
    for begin in range(0, len(parts), config.batch):
        some = parts[begin : begin + config.batch]
        values = score([_covered(picture, smeared, part) for part in some])
        for (x1, y1, x2, y2), value in zip(some, values, strict=True):
            fallen[y1:y2, x1:x2] += base - value
            times[y1:y2, x1:x2] += 1
    return Heat(_unit(np.maximum(fallen / np.maximum(times, 1), 0)), base, len(parts) + 1)


def box_score(session: Session, label: str, xyxy: tuple[float, float, float, float]) -> Score:
    """How sure a detector is of this box: of those of its label the greatest confidence times overlap."""
    wanted = session.label_names.index(label)

    def score(pictures: list[Picture]) -> list[float]:
        size = session.batch_limit or len(pictures)
        chunks = [pictures[begin : begin + size] for begin in range(0, len(pictures), size)]
        return [_best(session, outputs) for chunk in chunks for outputs in session.infer(chunk)]

    def _best(session: Session, outputs: tuple[NDArray[Any], ...]) -> float:
        found = session.read(outputs)
        mine = found.where(found.label_ids == wanted)
        return float((mine.confidence * iou(mine.xyxy, [xyxy])[:, 0]).max(initial=0.0))

    return score


def class_score(opened: Any, manifest: ModelManifest, place: int) -> Score:
    """How likely a classifier finds the class at `place`: of the softmax of its logits, as it is calibrated."""
    temperature = manifest.attribute.temperature if manifest.attribute is not None else 1.0

    def score(pictures: list[Picture]) -> list[float]:
        logits = np.asarray(opened.run(None, {manifest.input.name: np.stack(pictures)})[0], np.float64) / temperature
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [float(value) for value in likely[:, place] / likely.sum(axis=1)]

    return score


def around(xyxy: tuple[float, float, float, float], width: int, height: int, margin: float = 0.25) -> Window:
    """The box with so much of its sides around it, in whole pixels of a picture of this size."""
    x1, y1, x2, y2 = xyxy
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    return (
        max(0, math.floor(x1 - across)),
        max(0, math.floor(y1 - down)),
        min(width, math.ceil(x2 + across)),
        min(height, math.ceil(y2 + down)),
    )


def class_activation(
    manifest: ModelManifest, model: bytes, feed: NDArray[Any], place: int, options: SessionOptions
) -> NDArray[np.float32]:
    """Where a classifier saw the class at `place`: float32[h,w] of its last maps, 0-1, for one picture as it is fed.

    Raises ModelError where the model has no maps that are averaged at its end.
    """
    nodes = onnx_graph.nodes(model)
    mean = next((node for node in reversed(nodes) if node.kind in AVERAGES), None)
    if mean is None:
        raise ModelError(f"{manifest.id}: no maps are averaged at its end, so there is no class activation")
    name = mean.inputs[0]
    opened = open_runtime(manifest, onnx_graph.exposed(model, name), options)
    (maps,) = opened.run([name], {manifest.input.name: feed})
    if maps.ndim != 4 or len(maps) != 1:
        raise ModelError(f"{manifest.id}: {name} is {list(maps.shape)}, not the maps [1,C,h,w] of one picture")
    weights = _linear(model, nodes, mean, maps.shape[1])
    heat = _principal(maps[0]) if weights is None else np.tensordot(weights[place], maps[0], axes=1)
    return _unit(np.maximum(heat, 0).astype(np.float32))


def overlay(picture: Picture, heat: NDArray[np.float32]) -> Picture:
    """The picture in grey with the heat over it, from nothing to glowing; `heat` is of any size."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    height, width = picture.shape[:2]
    spread = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.round(64 + spread * 191).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = OVERLAY_STRENGTH * np.sqrt(spread)[..., None]
    return np.asarray(np.round(grey * (1 - share) + colours * share), np.uint8)


def grid_of(width: int, height: int, cells: int) -> tuple[int, int]:
    """Columns and rows of about so many square cells, at least 3 by 3, none smaller than a pixel."""
    columns = round(math.sqrt(cells * width / height))
    columns = max(min(3, width), min(columns, width, cells // 3))
    return columns, max(min(3, height), min(round(cells / columns), height))


def _part(window: Window, grid: tuple[int, int], at: tuple[int, int], spread: float) -> Window:
    """What is covered for one cell: it, and so much around it that what shows at its edges gives nothing away."""
    x1, y1, x2, y2 = window
    across, down = (x2 - x1) / grid[0], (y2 - y1) / grid[1]
    x, y = x1 + (at[0] + 0.5) * across, y1 + (at[1] + 0.5) * down
    half_x, half_y = across * spread / 2, down * spread / 2
    return (
        max(x1, round(x - half_x)),
        max(y1, round(y - half_y)),
        min(x2, round(x + half_x)),
        min(y2, round(y + half_y)),
    )


def _smeared(picture: Picture, window: Window) -> Picture:
    """The picture so blurred that nothing of the window's contents is told: a grey patch would be an object itself."""
    sigma = max(window[2] - window[0], window[3] - window[1]) / 4
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 1.0)), np.uint8)


def _covered(picture: Picture, smeared: Picture, part: Window) -> Picture:
    x1, y1, x2, y2 = part
    made = picture.copy()
    made[y1:y2, x1:x2] = smeared[y1:y2, x1:x2]
    return made


def _linear(model: bytes, nodes: list[Node], mean: Node, channels: int) -> NDArray[np.float32] | None:
    """The weights [classes, channels] of the linear layer right behind the mean; None where something else is."""
    name = mean.outputs[0]
    while True:
        after = next((node for node in nodes if name in node.inputs), None)
        if after is None or after.kind not in (*PASSING, "Gemm", "MatMul"):
            return None
        if after.kind in ("Gemm", "MatMul"):
            weights = onnx_graph.constant(model, after.inputs[1]) if after.inputs[0] == name else None
            if weights is None or weights.ndim != 2:
                return None
            by_class = weights if after.numbers.get("transB") else weights.T
            return by_class if by_class.shape[1] == channels else None
        name = after.outputs[0]


def _principal(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maps [C,h,w] along their first principal component, with the sign by which they are more there than not."""
    flat = maps.reshape(len(maps), -1).T
    _, _, components = np.linalg.svd(flat, full_matrices=False)
    seen = np.asarray((flat @ components[0]).reshape(maps.shape[1:]), np.float32)
    return seen if seen.sum() >= 0 else -seen


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    top = float(values.max(initial=0.0))
    return np.asarray(values / top, np.float32) if top > 0 else values
