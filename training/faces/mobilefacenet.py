"""The embedder's network: MobileFaceNet (arXiv:1804.07573, with ReLU6) and a head that says how good the face is.

As in the detector, batch norm is folded into the convolutions: training and inference are the same function.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.onnx_weights import Array, load_convolutions

VECTOR = 128
POOLED = 512
# (expansion, channels, repeats, stride) of the inverted residuals, from 56x56 down to 7x7.
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
# ImageNet's mean and standard deviation, RGB: what the start was trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
# The features (28x28, 64 channels) whose means and deviations tell the quality head how sharp and bright the face is.
SHARPNESS_LAYER = 4
QUALITY_HIDDEN = 64


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: type[nn.Module] | None = nn.ReLU6
) -> nn.Sequential:
    """A convolution with bias that keeps the size (but for its stride), then the activation."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)]
    return nn.Sequential(*layers, *([act()] if act else []))


class InvertedResidual(nn.Module):
    """Wider by a pointwise convolution, through a depthwise one, narrow again; with the input added where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            conv(inputs, hidden, 1),
            conv(hidden, hidden, 3, stride, groups=hidden),
            conv(hidden, outputs, 1, act=None),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class EmbedderNet(nn.Module):
    """Pixels [N,3,112,112] BGR 0..255 to unit vectors [N,128] and qualities [N] in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 64, 3, 2), conv(64, 64, 3, groups=64, act=nn.ReLU), conv(64, 64, 1, act=nn.ReLU)
        )
        blocks: list[nn.Module] = []
        inputs = 64
        for expansion, channels, repeats, stride in STAGES:
            for index in range(repeats):
                blocks.append(InvertedResidual(inputs, channels, stride if index == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.ModuleList(blocks)
        self.last = conv(inputs, POOLED, 1)
        self.pool = nn.Conv2d(POOLED, POOLED, 7, groups=POOLED)  # a weight a place instead of a mean (GDConv)
        self.vector = nn.Conv2d(POOLED, VECTOR, 1)
        self.metric = nn.Linear(VECTOR, VECTOR)  # what metric.py fits; until then it changes nothing
        with torch.no_grad():
            self.metric.weight.copy_(torch.eye(VECTOR))
            self.metric.bias.zero_()
        self.quality = nn.Sequential(
            nn.Linear(POOLED + 128 + 1, QUALITY_HIDDEN), nn.ReLU(), nn.Linear(QUALITY_HIDDEN, 1)
        )
        self.register_buffer("mean", torch.tensor(MEAN[::-1]).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("gain", 1 / (torch.tensor(DEVIATION[::-1]).view(1, 3, 1, 1) * 255), persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        raw, features = self.features(pixels)
        return functional.normalize(self.metric(functional.normalize(raw))), self.quality(features).squeeze(1).sigmoid()

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors before they are made one long [N,128], and what the quality head sees of the face [N,641]."""
        x = self.stem((pixels - self.mean) * self.gain)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == SHARPNESS_LAYER:
                mean = x.mean((2, 3))
                spread = ((x - mean[:, :, None, None]) ** 2).mean((2, 3)).clamp(min=1e-6).sqrt()
        pooled = self.pool(self.last(x))
        raw = self.vector(pooled).flatten(1)
        length = raw.pow(2).sum(1, keepdim=True).clamp(min=1e-6).sqrt()
        return raw, torch.cat((pooled.flatten(1), mean, spread, length), 1)


def load_mobilefacenet(net: EmbedderNet, weights: Path) -> None:
    """Fill the network with the public MobileFaceNet (ONNX, batch norm folded), which takes RGB.

    Raises ModelError when it holds another network.
    """
    load_convolutions(net, weights, _first_as_bgr)


def _first_as_bgr(name: str, _module: nn.Conv2d, weight: Array, bias: Array) -> tuple[Array, Array]:
    return weight[:, ::-1] if name == "stem.0.0" else weight, bias
