"""The localiser's network: YuNet's (Wu et al., Machine Intelligence Research 2023), batch norm folded.

Convolutions come in pairs, pointwise then depthwise; three levels; for each cell a box, five points and two scores.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.layers import STRIDES
from training.onnx_weights import load_convolutions

WIDTH = 64
POINTS = 5
# Columns of a cell: cx, cy, w, h in pixels, logits of objectness and of the face, five points x, y in pixels.
COLUMNS = 6 + 2 * POINTS


class Pair(nn.Sequential):
    """A pointwise convolution, then a depthwise 3x3 one, then ReLU."""

    def __init__(self, inputs: int, outputs: int, act: bool = True) -> None:
        layers = [nn.Conv2d(inputs, outputs, 1), nn.Conv2d(outputs, outputs, 3, 1, 1, groups=outputs)]
        super().__init__(*layers, *([nn.ReLU()] if act else []))


class LocaliserNet(nn.Module):
    """Pixels [N,3,H,W] (BGR, 0-255; sides multiples of 32) to cells [N,A,16], see COLUMNS."""

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), Pair(16, 16))
        self.fine = nn.Sequential(Pair(16, 16), Pair(16, w), Pair(w, w), Pair(w, w))
        self.levels = nn.ModuleList(nn.Sequential(Pair(w, w), Pair(w, w)) for _ in STRIDES)
        self.lateral = nn.ModuleList(Pair(w, w) for _ in STRIDES)  # the coarsest first
        self.shared = nn.ModuleList(Pair(w, w) for _ in STRIDES)
        self.face, self.box, self.objectness, self.points = (
            nn.ModuleList(Pair(w, outputs, act=False) for _ in STRIDES) for outputs in (1, 4, 1, 2 * POINTS)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.fine(functional.max_pool2d(self.stem(pixels), 2))
        levels = []
        for level in self.levels:
            x = level(functional.max_pool2d(x, 2))
            levels.append(x)
        levels[2] = self.lateral[0](levels[2])
        levels[1] = self.lateral[1](levels[1] + functional.interpolate(levels[2], scale_factor=2.0))
        levels[0] = self.lateral[2](levels[0] + functional.interpolate(levels[1], scale_factor=2.0))
        return torch.cat([self._cells(index, level) for index, level in enumerate(levels)], 1)

    def _cells(self, index: int, level: Tensor) -> Tensor:
        """One level's cells [N,h*w,16]: offsets from the cell's top left corner times the stride, log sizes."""
        x = self.shared[index](level)
        stride = STRIDES[index]
        heads = (self.box, self.objectness, self.face, self.points)
        raw = torch.cat([head[index](x) for head in heads], 1).flatten(2).transpose(1, 2)
        height, width = level.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        corner = torch.stack((x, y), -1).reshape(1, -1, 2).to(raw)
        centres = (raw[..., :2] + corner) * stride
        sizes = raw[..., 2:4].clamp(max=8.0).exp() * stride
        points = (raw[..., 6:] + corner.repeat(1, 1, POINTS)) * stride
        return torch.cat((centres, sizes, raw[..., 4:6], points), -1)


def load_yunet(net: LocaliserNet, weights: Path) -> None:
    """Fill the network with a public YuNet ONNX file (yunet_n, batch norm folded).

    Raises ModelError when it holds another network.
    """
    load_convolutions(net, weights)
