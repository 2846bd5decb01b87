"""The detector's network: a depthwise CSP backbone, a PAFPN neck, a decoupled head (YOLOX-nano, arXiv:2107.08430).

Every convolution carries a bias and there is no batch norm: the public weights that we start from have it folded in, so
training and inference are the same function and a picture's result never depends on its neighbours in the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, load_manifest, model_bytes
from training.branch import Branch, Branches, Correction, Reading, Seen
from training.layers import STRIDES, ConvAct, CspLayer, DepthwiseConv, Hinge, SpatialPyramid, decode, grid_of
from training.onnx_weights import Array, exported_tensors, load_convolutions
from training.pruning import narrow_as

COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip


class Backbone(nn.Module):
    """uint8-range pixels [N,3,H,W] to features at strides 4, 8, 16 and 32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        # YOLOX's "focus" (space to depth, then 3x3) written as the one 6x6 convolution that it equals.
        self.stem = ConvAct(3, w, 6, stride=2)
        self.dark2 = nn.Sequential(DepthwiseConv(w, 2 * w, 2), CspLayer(2 * w, 2 * w, 1, shortcut=True))
        self.dark3 = nn.Sequential(DepthwiseConv(2 * w, 4 * w, 2), CspLayer(4 * w, 4 * w, 3, shortcut=True))
        self.dark4 = nn.Sequential(DepthwiseConv(4 * w, 8 * w, 2), CspLayer(8 * w, 8 * w, 3, shortcut=True))
        self.dark5 = nn.Sequential(
            DepthwiseConv(8 * w, 16 * w, 2), SpatialPyramid(16 * w), CspLayer(16 * w, 16 * w, 1, shortcut=False)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        c2 = self.dark2(self.stem(x))
        c3 = self.dark3(c2)
        c4 = self.dark4(c3)
        return c2, c3, c4, self.dark5(c4)


class Neck(nn.Module):
    """Path aggregation: top down, then bottom up, over the three levels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.lateral5 = ConvAct(16 * w, 8 * w, 1)
        self.top4 = CspLayer(16 * w, 8 * w, 1, shortcut=False)
        self.lateral4 = ConvAct(8 * w, 4 * w, 1)
        self.top3 = CspLayer(8 * w, 4 * w, 1, shortcut=False)
        self.down3 = DepthwiseConv(4 * w, 4 * w, 2)
        self.bottom4 = CspLayer(8 * w, 8 * w, 1, shortcut=False)
        self.down4 = DepthwiseConv(8 * w, 8 * w, 2)
        self.bottom5 = CspLayer(16 * w, 16 * w, 1, shortcut=False)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        l5 = self.lateral5(c5)
        l4 = self.lateral4(self.top4(torch.cat((functional.interpolate(l5, scale_factor=2.0), c4), 1)))
        p3 = self.top3(torch.cat((functional.interpolate(l4, scale_factor=2.0), c3), 1))
        p4 = self.bottom4(torch.cat((self.down3(p3), l4), 1))
        return p3, p4, self.bottom5(torch.cat((self.down4(p4), l5), 1))


class LevelHead(nn.Module):
    """One level's decoupled head: [N,C,h,w] to [N,4+1+classes,h,w] of box, objectness and class logits."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.stem = ConvAct(inputs, hidden, 1)
        self.class_tower = nn.Sequential(DepthwiseConv(hidden, hidden), DepthwiseConv(hidden, hidden))
        self.classes = nn.Conv2d(hidden, classes, 1)
        self.box_tower = nn.Sequential(DepthwiseConv(hidden, hidden), DepthwiseConv(hidden, hidden))
        self.box = nn.Conv2d(hidden, 4, 1)
        self.objectness = nn.Conv2d(hidden, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        near_box = self.box_tower(x)
        return torch.cat((self.box(near_box), self.objectness(near_box), self.classes(self.class_tower(x))), 1)


class Look(NamedTuple):
    """What the network gives: its predictions, and those of each branch [N,A,5+K] for the channels that it speaks for.

    `stages` are the backbone's features at strides 4 and 8, which the appearance head reads; a branch reads `seen`.
    """

    cells: Tensor
    branches: tuple[Tensor, ...]
    stages: tuple[Tensor, Tensor]
    seen: Seen


class DetectorNet(nn.Module):
    """Pixels [N,3,H,W] (BGR, 0-255; sides multiples of 32) to raw predictions [N,A,5+C].

    The columns are cx, cy, w, h in pixels, then the logits of objectness and of each class channel. The parts whose
    names begin with one of `hinged` have a hinge for SiLU.
    """

    def __init__(self, classes: int, width: int = 16, hinged: Sequence[str] = ()) -> None:
        super().__init__()
        self.width = width
        self.backbone = Backbone(width)
        self.neck = Neck(width)
        self.heads = nn.ModuleList(LevelHead(width * m, 4 * width, classes) for m in (4, 8, 16))
        self.branches = Branches()
        hinge(self, hinged)

    def forward(self, x: Tensor) -> Tensor:
        return self.look(x).cells

    def look(self, x: Tensor) -> Look:
        """The predictions, those of the branch, and what they were made of."""
        c2, c3, c4, c5 = self.backbone(x)
        levels = self.neck(c3, c4, c5)
        answers, cells = [], []
        for head, stride, level in zip(self.heads, STRIDES, levels, strict=True):
            answers.append(head(level))
            cells.append(decode(answers[-1], stride))
        whole, seen = torch.cat(cells, 1), Seen((c3, c4, c5), levels, tuple(answers))
        return Look(whole, self.branches(seen), (c2, c3), seen)

    def add_branch(self, channels: Sequence[int], own_neck: bool = False) -> Branch:
        """Give these class channels a branch, which at first says what the network says.

        It corrects the network's answers, or has a neck and heads of its own.
        """
        branch = Branch(self.width, channels, corrected=not own_neck)
        for correction, head in zip(branch.corrections, self.heads, strict=not own_neck):
            assert isinstance(correction, Correction)
            assert isinstance(head, LevelHead)
            correction.start_from(head.stem, head.box_tower)
        if own_neck:
            self.add_reading(branch)
        self.branches.append(branch)
        return branch

    def add_reading(self, branch: Branch) -> None:
        """Let the branch read the stages for itself: as the network reads them, at first."""
        branch.reading = Reading(copy.deepcopy(self.neck), copy.deepcopy(self.heads))


def hinge(net: DetectorNet, parts: Sequence[str]) -> None:
    """Give the parts whose names begin with one of these a hinge for SiLU."""
    for name, module in net.named_modules():
        if isinstance(module, ConvAct) and name.startswith(tuple(parts)):
            module[1] = Hinge()


def anchor_points(size: int) -> tuple[Tensor, Tensor]:
    """The cells' centres [A,2] and strides [A] of a square input, in pixels, in the order of the predictions."""
    centres = [(grid_of(size // s, size // s)[0] + 0.5) * s for s in STRIDES]
    strides = [torch.full((len(c),), float(s)) for c, s in zip(centres, STRIDES, strict=True)]
    return torch.cat(centres), torch.cat(strides)


def load_yolox(network: DetectorNet, weights: Path, channels: Sequence[str]) -> None:
    """Fill the network with a public YOLOX ONNX file (COCO-80, batch norm folded), its class rows picked by name.

    A channel that COCO lacks keeps its random start. Raises ModelError when the file holds another network.
    """
    rows = [(ours_row, COCO_NAMES.index(c)) for ours_row, c in enumerate(channels) if c in COCO_NAMES]

    def fit(name: str, module: nn.Conv2d, weight: Array, bias: Array) -> tuple[Array, Array]:
        if name == "backbone.stem.0":
            return _focus_to_conv6(weight), bias
        return _pick_rows(module, weight, bias, rows) if name.endswith(".classes") else (weight, bias)

    load_convolutions(network, weights, fit)


def open_detector(manifest_file: Path) -> tuple[ModelManifest, DetectorNet]:
    """A detector's manifest and the network of its file.

    Raises ModelError where a file is away, isn't the manifest's by its SHA-256, or holds another network.
    """
    manifest = load_manifest(manifest_file)
    model_bytes(manifest, manifest_file.parent)
    return manifest, load_exported(manifest_file.parent / manifest.file)


def load_exported(file: Path) -> DetectorNet:
    """The network of a detector that was exported here; ModelError when the file holds another."""
    try:
        return net_of(exported_tensors(file, "net."))
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{file.name}: not a detector of this project: {error}") from error


def net_of(tensors: Mapping[str, Tensor]) -> DetectorNet:
    """The network that these are the state of; KeyError or RuntimeError when they are another's."""
    hinged = [name.removesuffix(".1.least") for name in tensors if name.endswith(".1.least")]
    net = DetectorNet(len(tensors["heads.0.classes.bias"]), len(tensors["backbone.stem.0.bias"]))
    while (columns := tensors.get(f"branches.{len(net.branches)}.columns")) is not None:
        start = f"branches.{len(net.branches)}."
        branch = Branch(net.width, [0] * (len(columns) - 5), _any(tensors, f"{start}corrections."))
        if _any(tensors, f"{start}reading."):
            net.add_reading(branch)
        net.branches.append(branch)
    hinge(net, hinged)
    narrow_as(net, tensors)
    net.load_state_dict(tensors)
    return net.eval()


def _any(tensors: Mapping[str, Tensor], start: str) -> bool:
    return any(name.startswith(start) for name in tensors)


def _focus_to_conv6(weight: np.ndarray) -> np.ndarray:
    """[O,12,3,3] behind space-to-depth (top left, bottom left, top right, bottom right) as [O,3,6,6], stride 2."""
    outputs = weight.shape[0]
    parts = weight.reshape(outputs, 2, 2, 3, 3, 3)  # O, dx, dy, channel, i, j
    return parts.transpose(0, 3, 4, 2, 5, 1).reshape(outputs, 3, 6, 6)


def _pick_rows(
    module: nn.Conv2d, weight: np.ndarray, bias: np.ndarray, rows: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """The class rows of a COCO head in our order; rows without a partner keep what the module has."""
    assert module.bias is not None
    new_weight, new_bias = module.weight.detach().numpy().copy(), module.bias.detach().numpy().copy()
    for ours, theirs in rows:
        new_weight[ours], new_bias[ours] = weight[theirs], bias[theirs]
    return new_weight, new_bias
