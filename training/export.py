"""One ONNX file a detector: uint8 letterboxed BGR in; boxes, scores and classes out, with suppression inside."""

from __future__ import annotations

import tempfile
import warnings
from itertools import groupby
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import torch
from onnx import compose, numpy_helper
from torch import Tensor, nn

from training.appearance import NUMBERS, AppearanceNet
from training.loss import corners
from training.network import DetectorNet

OPSET = 17
# The hundred best boxes of a picture go out; the NMS looks at the 300 best cells, three for each of them.
MOST_BOXES = 100
MOST_CELLS = 300
# Below one in a hundred nothing is believed by any rule or tracker; it bounds the suppression's work.
LEAST_SCORE = 0.01
NMS_IOU = 0.65
# Boxes of less only keep a track alive by their place: their looks would cost as much as all others' together.
LEAST_LOOK_SCORE = 0.25
# Added to the logit of a label that has no channel: its sigmoid is 0, and its range one that can be calibrated.
SILENT = -1e4


class Exported(nn.Module):
    """The network with its pre-processing and decoding: uint8[N,S,S,3] to xyxy [N,A,4] and scores [N,A,L].

    A label's score is objectness times the best of its channels' probabilities. The cells of each branch follow the
    network's: these are silent about the branches' labels, and a branch about all others. The backbone's stages that
    the appearance head reads come out too.
    """

    def __init__(self, net: DetectorNet, groups: tuple[tuple[int, ...], ...], nms_iou: float = NMS_IOU) -> None:
        super().__init__()
        self.net = net
        self.nms_iou = nms_iou
        branched = {channel for channels in net.branches.channels for channel in channels}
        self.network_groups = tuple(tuple(c for c in group if c not in branched) for group in groups)
        self.branch_groups = tuple(
            tuple(tuple(own.index(c) for c in group if c in own) for group in groups) for own in net.branches.channels
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        look = self.net.look(images.permute(0, 3, 1, 2).float())
        boxes, scores = _boxes_and_scores(look.cells, self.network_groups)
        for cells, groups in zip(look.branches, self.branch_groups, strict=True):
            own_boxes, own_scores = _boxes_and_scores(cells, groups)
            boxes, scores = torch.cat((boxes, own_boxes), 1), torch.cat((scores, own_scores), 1)
        return boxes, scores, *look.stages


def _boxes_and_scores(raw: Tensor, groups: tuple[tuple[int, ...], ...]) -> tuple[Tensor, Tensor]:
    """Predictions [N,A,5+C] as xyxy [N,A,4] and labels' scores [N,A,L], 0 for a label without channels."""
    return corners(raw), raw[..., 4:5].sigmoid() * torch.cat(_labels(raw[..., 5:], groups), -1).sigmoid()


def _labels(logits: Tensor, groups: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    """The labels' logits, in pieces: neighbours that have one channel each are cut out together, which is quicker."""
    pieces = []
    for size, run in groupby(groups, len):
        some = list(run)
        if size == 1:
            pieces.append(_columns(logits, tuple(channel for group in some for channel in group)))
        elif size == 0:
            pieces.append(logits[..., :1] + torch.full((len(some),), SILENT, device=logits.device))
        else:
            pieces += [_columns(logits, group).amax(-1, keepdim=True) for group in some]
    return pieces


def _columns(logits: Tensor, group: tuple[int, ...]) -> Tensor:
    """Some channels; those that stand together as a slice, which costs a quarter of picking them out."""
    together = group == tuple(range(group[0], group[0] + len(group)))
    return logits[..., group[0] : group[-1] + 1] if together else logits[..., list(group)]


def export_detector(
    net: DetectorNet,
    groups: tuple[tuple[int, ...], ...],
    size: int,
    path: Path,
    appearance: AppearanceNet | None = None,
    nms_iou: float = NMS_IOU,
) -> None:
    """Write the ONNX file: `images` uint8[N,S,S,3] to `boxes` f32[N,M,4], `scores` f32[N,M], `classes` i64[N,M].

    Boxes are xyxy in pixels of the input, best first, padded with score 0; M is 100 and N is free. With an appearance
    head also `embeddings` f32[N,M,64], zeros for boxes of less than LEAST_LOOK_SCORE.
    """
    network = _network(Exported(net, groups).eval(), size)
    stages = ["stage2", "stage3"] if appearance is not None else []
    whole = _joined(network, _suppression(len(groups), nms_iou), ["boxes", "scores", "classes", *stages])
    if appearance is not None:
        looks = _looks(_appearance(appearance.eval(), net, size))
        whole = _joined(whole, looks, ["boxes", "scores", "classes", "embeddings"])
    del whole.opset_import[1:]  # the merge lists the one opset of both halves twice
    write_model(whole, path)


def write_model(model: onnx.ModelProto, path: Path) -> None:
    """Check the graph and write it, without what says on which machine it was made."""
    model.producer_name, model.producer_version, model.doc_string = "vedette training", "", ""
    for entry in model.graph.node:
        entry.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _joined(first: onnx.ModelProto, then: onnx.ModelProto, outputs: list[str]) -> onnx.ModelProto:
    """Two graphs as one: what the first gives under a name that the second takes is handed on."""
    then.ir_version = first.ir_version
    given = {value.name for value in first.graph.output}
    links = [(value.name, value.name) for value in then.graph.input if value.name in given]
    return compose.merge_models(first, then, io_map=links, outputs=outputs)


def _network(model: Exported, size: int) -> onnx.ModelProto:
    """The part before the suppression."""
    pictures = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    outputs = ["cell_boxes", "cell_scores", "stage2", "stage3"]
    return traced(model, (pictures,), ["images"], outputs, {name: {0: "batch"} for name in ("images", *outputs)})


def _appearance(head: AppearanceNet, net: DetectorNet, size: int) -> onnx.ModelProto:
    """The head on K boxes of any pictures."""
    stages = net.look(torch.zeros(2, 3, size, size)).stages
    boxes = torch.tensor([[0, 1.0, 1, 50, 100], [1, 3, 3, 60, 120]])
    axes = {"stage2": {0: "batch"}, "stage3": {0: "batch"}, "looks": {0: "count"}, "vectors": {0: "count"}}
    return traced(
        head, (*(stage.detach() for stage in stages), boxes), ["stage2", "stage3", "looks"], ["vectors"], axes
    )


def traced(
    model: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> onnx.ModelProto:
    """A module by torch's exporter (tracing: the graph forks nowhere), each weight under its parameter's name."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch asks for its newer exporter, which wants another package and names no axis `batch` by itself.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        # What is checked of a picture, and sizes that become constants on purpose, are the same for every picture.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        path = Path(folder) / "part.onnx"
        torch.onnx.export(
            model,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            # Else torch makes one of two equal weights, as a branch and what it started from have, and a name is lost.
            keep_initializers_as_inputs=True,
        )
        traced = onnx.load(str(path))
    weights = {tensor.name for tensor in traced.graph.initializer}
    left = [value for value in traced.graph.input if value.name not in weights]
    del traced.graph.input[:]
    traced.graph.input.extend(left)
    return traced


def _looks(head: onnx.ModelProto) -> onnx.ModelProto:
    """The head between the suppression's boxes and a tensor whose size is the same for every picture.

    The boxes that are worth a look are gathered from all pictures of the batch, and their vectors scattered back.
    """
    text = f"""
    <ir_version: 8, opset_import: ["" : {OPSET}]>
    gather (float[batch, {MOST_BOXES}, 4] boxes, float[batch, {MOST_BOXES}] scores)
        => (float[count, 5] looks, int64[count, 2] look_places, float[batch, {MOST_BOXES}, {NUMBERS}] blank)
    {{
        worth = GreaterOrEqual (scores, least_look_score)
        found = NonZero (worth)
        look_places = Transpose <perm = [1, 0]> (found)
        worth_boxes = GatherND (boxes, look_places)
        picture_of = Slice (look_places, slice_from, slice_to, slice_axis)
        pictures = Cast <to = 1> (picture_of)
        looks = Concat <axis = 1> (pictures, worth_boxes)
        look_score_shape = Shape (scores)
        blank_shape = Concat <axis = 0> (look_score_shape, numbers)
        blank = ConstantOfShape (blank_shape)
    }}
    """
    gather = onnx.parser.parse_model(text)
    constants: dict[str, np.ndarray] = {
        "least_look_score": np.array([LEAST_LOOK_SCORE], np.float32),
        "slice_from": np.array([0]),
        "slice_to": np.array([1]),
        "slice_axis": np.array([1]),
        "numbers": np.array([NUMBERS]),
    }
    gather.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    text = f"""
    <ir_version: 8, opset_import: ["" : {OPSET}]>
    scatter (float[batch, {MOST_BOXES}, {NUMBERS}] blank, int64[count, 2] look_places, float[count, {NUMBERS}] vectors)
        => (float[batch, {MOST_BOXES}, {NUMBERS}] embeddings)
    {{ embeddings = ScatterND (blank, look_places, vectors) }}
    """
    gathered = _joined(
        gather,
        compose.add_prefix(head, "appearance/", rename_inputs=False, rename_outputs=False),
        ["look_places", "blank", "vectors"],
    )
    return _joined(gathered, onnx.parser.parse_model(text), ["embeddings"])


def _suppression(labels: int, nms_iou: float) -> onnx.ModelProto:
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
        "nms_iou": np.array([nms_iou], np.float32),
        "least_score": np.array([LEAST_SCORE], np.float32),
        "one": np.array([1.0], np.float32),
        "flat_shape": np.array([0, -1]),
        "most_boxes": np.array([MOST_BOXES]),
        "cells_a_label": np.array([MOST_CELLS]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model
