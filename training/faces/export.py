"""The face models as ONNX: uint8 pictures in; boxes, scores and points, or unit vectors and qualities out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import torch
from onnx import compose, numpy_helper
from torch import Tensor, nn

from training.export import LEAST_SCORE, MOST_CELLS, OPSET, traced, write_model
from training.faces.mobilefacenet import EmbedderNet
from training.faces.people import SIDE
from training.faces.yunet import POINTS, LocaliserNet
from training.loss import corners

# A picture gives this many faces at most; suppression looks at the MOST_CELLS best cells.
MOST_FACES = 100
NMS_IOU = 0.45
# A picture of 128x128 has 16² + 8² + 4² = 336 cells: enough for the MOST_CELLS best.
LEAST_INPUT = 128


class ExportedLocaliser(nn.Module):
    """uint8[N,H,W,3] to every cell's box xyxy [N,A,4], score [N,A,1] and points [N,A,10], in pixels of the input.

    A score is the geometric mean of the two probabilities, as YuNet is used.
    """

    def __init__(self, net: LocaliserNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cells = self.net(images.permute(0, 3, 1, 2).float())
        scores = (cells[..., 4:5].sigmoid() * cells[..., 5:6].sigmoid()).sqrt()
        return corners(cells), scores, cells[..., 6:]


class ExportedEmbedder(nn.Module):
    """uint8[N,112,112,3] to unit vectors [N,D] and qualities [N]."""

    def __init__(self, net: EmbedderNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        vectors, qualities = self.net(images.permute(0, 3, 1, 2).float())
        return vectors, qualities


def export_localiser(net: LocaliserNet, path: Path) -> None:
    """Write `images` uint8[N,H,W,3] BGR to `boxes` f32[N,M,4], `scores` f32[N,M], `points` f32[N,M,5,2].

    Pixels of the input, best first, padded with score 0; M is 100, N free, H and W multiples of 32 from 128 on.
    """
    size = LEAST_INPUT + 32  # not the least one, so that no size is mistaken for a constant
    names = ["cell_boxes", "cell_scores", "cell_points"]
    axes = {"images": {0: "batch", 1: "height", 2: "width"}} | {name: {0: "batch", 1: "cells"} for name in names}
    images = torch.zeros(2, size, size + 32, 3, dtype=torch.uint8)
    network = traced(ExportedLocaliser(net).eval(), (images,), ["images"], names, axes)
    tail = _suppression()
    tail.ir_version = network.ir_version
    whole = compose.merge_models(network, tail, io_map=[(name, name) for name in names])
    del whole.opset_import[1:]  # the merge lists the one opset of both halves twice
    write_model(whole, path)


def export_embedder(net: EmbedderNet, path: Path) -> None:
    """Write `images` uint8[N,112,112,3] BGR to `vectors` f32[N,D] of length 1 and `qualities` f32[N] in 0..1."""
    names = ["vectors", "qualities"]
    axes = {name: {0: "batch"} for name in ("images", *names)}
    images = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    write_model(traced(ExportedEmbedder(net).eval(), (images,), ["images"], names, axes), path)


def _suppression() -> onnx.ModelProto:
    """The graph behind the localiser: the best cells, NMS, the best that are left with their points.

    As in the detector's export, the list that NonMaxSuppression gives becomes a mask over the cells.
    """
    text = f"""
    <ir_version: 8, opset_import: ["" : {OPSET}]>
    suppression (float[batch, cells, 4] cell_boxes, float[batch, cells, 1] cell_scores,
                 float[batch, cells, {2 * POINTS}] cell_points)
        => (float[batch, {MOST_FACES}, 4] boxes, float[batch, {MOST_FACES}] scores,
            float[batch, {MOST_FACES}, {POINTS}, 2] points)
    {{
        cell_score = Squeeze (cell_scores, axis_2)
        some_scores, best_cells = TopK <axis = 1> (cell_score, most_cells)
        picks = Unsqueeze (best_cells, axis_2)
        box_picks = Expand (picks, box_shape)
        some_boxes = GatherElements <axis = 1> (cell_boxes, box_picks)
        point_picks = Expand (picks, point_shape)
        some_points = GatherElements <axis = 1> (cell_points, point_picks)
        by_label = Unsqueeze (some_scores, axis_1)
        selected = NonMaxSuppression (some_boxes, by_label, most_faces, nms_iou, least_score)
        shape = Shape (by_label)
        zeros = ConstantOfShape (shape)
        count = Shape <end = 1> (selected)
        ones = Expand (one, count)
        kept = ScatterND (zeros, selected, ones)
        kept_scores = Mul (by_label, kept)
        flat = Squeeze (kept_scores, axis_1)
        scores, places = TopK <axis = 1> (flat, most_faces)
        last = Unsqueeze (places, axis_2)
        last_boxes = Expand (last, box_shape)
        boxes = GatherElements <axis = 1> (some_boxes, last_boxes)
        last_points = Expand (last, point_shape)
        flat_points = GatherElements <axis = 1> (some_points, last_points)
        points = Reshape (flat_points, five_shape)
    }}
    """
    model = onnx.parser.parse_model(text)
    constants: dict[str, np.ndarray] = {
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "most_cells": np.array([MOST_CELLS]),
        "box_shape": np.array([1, 1, 4]),
        "point_shape": np.array([1, 1, 2 * POINTS]),
        "five_shape": np.array([0, 0, POINTS, 2]),
        "most_faces": np.array([MOST_FACES]),
        "nms_iou": np.array([NMS_IOU], np.float32),
        "least_score": np.array([LEAST_SCORE], np.float32),
        "one": np.array([1.0], np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model
