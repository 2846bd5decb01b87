"""One ONNX file a detector: uint8 letterboxed BGR in; boxes, scores and classes out, with suppression inside."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import torch
from onnx import compose, numpy_helper
from torch import Tensor, nn

from training.loss import corners
from training.network import DetectorNet

OPSET = 17
# The hundred best boxes of a picture go out; the NMS looks at the 300 best cells, three for each of them.
MOST_BOXES = 100
MOST_CELLS = 300
# Below one in a hundred nothing is believed by any rule or tracker; it bounds the suppression's work.
LEAST_SCORE = 0.01
NMS_IOU = 0.65


class Exported(nn.Module):
    """The network with its pre-processing and decoding: uint8[N,S,S,3] to xyxy [N,A,4] and scores [N,A,L].

    A label's score is objectness times the best of its channels' probabilities.
    """

    def __init__(self, net: DetectorNet, groups: tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        self.net = net
        self.groups = groups

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.net(images.permute(0, 3, 1, 2).float())
        logits = raw[..., 5:]
        labels = torch.cat([logits[..., list(group)].amax(-1, keepdim=True) for group in self.groups], -1)
        return corners(raw), raw[..., 4:5].sigmoid() * labels.sigmoid()


def export_detector(net: DetectorNet, groups: tuple[tuple[int, ...], ...], size: int, path: Path) -> None:
    """Write the ONNX file: `images` uint8[N,S,S,3] to `boxes` f32[N,M,4], `scores` f32[N,M], `classes` i64[N,M].

    Boxes are xyxy in pixels of the input, best first, padded with score 0; M is 100 and N is free.
    """
    network = _network(Exported(net, groups).eval(), size)
    tail = _suppression(len(groups))
    tail.ir_version = network.ir_version
    links = [("cell_boxes", "cell_boxes"), ("cell_scores", "cell_scores")]
    whole = compose.merge_models(network, tail, io_map=links)
    whole.producer_name, whole.producer_version, whole.doc_string = "vedette training", "", ""
    del whole.opset_import[1:]  # the merge lists the one opset of both halves twice
    for entry in whole.graph.node:
        entry.doc_string = ""
    onnx.checker.check_model(whole, full_check=True)
    path.write_bytes(whole.SerializeToString())


def _network(model: Exported, size: int) -> onnx.ModelProto:
    """The part before the suppression, by torch's exporter (tracing: the graph has no branch)."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch asks for its newer exporter, which wants another package and names no axis `batch` by itself.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            model,
            (torch.zeros(2, size, size, 3, dtype=torch.uint8),),
            str(path),
            input_names=["images"],
            output_names=["cell_boxes", "cell_scores"],
            dynamic_axes={name: {0: "batch"} for name in ("images", "cell_boxes", "cell_scores")},
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(str(path))


def _suppression(labels: int) -> onnx.ModelProto:
    """The graph behind the network: best cells, NMS within each label, the hundred best that are left.

    NonMaxSuppression gives a list of (picture, label, cell); written as ones into a mask over all cells, it turns
    back into a tensor whose size is the same for every picture.
    """
    text = f"""
    <ir_version: 8, opset_import: ["" : {OPSET}]>
    suppression (float[batch, cells, 4] cell_boxes, float[batch, cells, {labels}] cell_scores)
        => (float[batch, {MOST_BOXES}, 4] boxes, float[batch, {MOST_BOXES}] scores, int64[batch, {MOST_BOXES}] classes)
    {{
        best_score = ReduceMax <axes = [2], keepdims = 0> (cell_scores)
        _best, best_cells = TopK <axis = 1> (best_score, most_cells)
        picks = Unsqueeze (best_cells, axis_2)
        box_picks = Expand (picks, box_shape)
        some_boxes = GatherElements <axis = 1> (cell_boxes, box_picks)
        score_picks = Expand (picks, score_shape)
        some_scores = GatherElements <axis = 1> (cell_scores, score_picks)
        by_label = Transpose <perm = [0, 2, 1]> (some_scores)
        selected = NonMaxSuppression (some_boxes, by_label, most_per_label, nms_iou, least_score)
        shape = Shape (by_label)
        zeros = ConstantOfShape (shape)
        count = Shape <end = 1> (selected)
        ones = Expand (one, count)
        kept = ScatterND (zeros, selected, ones)
        kept_scores = Mul (by_label, kept)
        flat = Reshape (kept_scores, flat_shape)
        scores, places = TopK <axis = 1> (flat, most_boxes)
        classes = Div (places, cells_a_label)
        cells_of = Mod (places, cells_a_label)
        cell_picks = Unsqueeze (cells_of, axis_2)
        last_picks = Expand (cell_picks, box_shape)
        boxes = GatherElements <axis = 1> (some_boxes, last_picks)
    }}
    """
    model = onnx.parser.parse_model(text)
    constants: dict[str, np.ndarray] = {
        "most_cells": np.array([MOST_CELLS]),
        "axis_2": np.array([2]),
        "box_shape": np.array([1, 1, 4]),
        "score_shape": np.array([1, 1, labels]),
        "most_per_label": np.array([MOST_BOXES]),
        "nms_iou": np.array([NMS_IOU], np.float32),
        "least_score": np.array([LEAST_SCORE], np.float32),
        "one": np.array([1.0], np.float32),
        "flat_shape": np.array([0, -1]),
        "most_boxes": np.array([MOST_BOXES]),
        "cells_a_label": np.array([MOST_CELLS]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model
