"""What the detector's network is built of: convolutions with bias and SiLU, CSP layers, and how cells become boxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)


class ConvAct(nn.Sequential):
    """A convolution with bias that keeps the size (but for its stride), then SiLU (or a hinge)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = (kernel - stride + 1) // 2 if kernel > 1 else 0
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups), nn.SiLU())


class Hinge(nn.Module):
    """The larger of x and one number, learnt for the whole layer.

    In 8 bits it is free: the convolution's own saturation at the least value that its output's range has. With a number
    below zero and the slope in the convolution it comes nearer to SiLU (whose least is -0.278) than ReLU does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.least = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, min=self.least)


class DepthwiseConv(nn.Sequential):
    """A depthwise convolution followed by a pointwise one."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(ConvAct(inputs, inputs, kernel, stride, groups=inputs), ConvAct(inputs, outputs, 1))


class Bottleneck(nn.Module):
    """Pointwise, then depthwise; with the input added where `shortcut`."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.reduce = ConvAct(channels, channels, 1)
        self.conv = DepthwiseConv(channels, channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.reduce(x))
        return y + x if self.shortcut else y


class CspLayer(nn.Module):
    """Cross stage partial layer: half the channels through the bottlenecks, half past them."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool) -> None:
        super().__init__()
        hidden = outputs // 2
        self.main = ConvAct(inputs, hidden, 1)
        self.past = ConvAct(inputs, hidden, 1)
        self.blocks = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(depth)))
        self.merge = ConvAct(2 * hidden, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        past = self.past(x)
        merged: Tensor = self.merge(torch.cat((self.blocks(self.main(x)), past), dim=1))
        return merged


class SpatialPyramid(nn.Module):
    """Max pools of 5, 9 and 13 pixels beside the input (SPP)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ConvAct(channels, channels // 2, 1)
        self.merge = ConvAct(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        # Two 5x5 pools in a row see 9x9, three see 13x13: the same maxima for a third of the work.
        p5 = functional.max_pool2d(x, 5, 1, 2)
        p9 = functional.max_pool2d(p5, 5, 1, 2)
        p13 = functional.max_pool2d(p9, 5, 1, 2)
        merged: Tensor = self.merge(torch.cat((x, p5, p9, p13), dim=1))
        return merged


def decode(raw: Tensor, stride: int) -> Tensor:
    """[N,5+C,h,w] offsets of one level as [N,h*w,5+C] with boxes in pixels."""
    height, width = raw.shape[2:]
    grid = grid_of(height, width).to(raw)
    flat = raw.flatten(2).transpose(1, 2)
    centres = (flat[..., :2] + grid) * stride
    sizes = flat[..., 2:4].exp() * stride
    return torch.cat((centres, sizes, flat[..., 4:]), -1)


def grid_of(height: int, width: int) -> Tensor:
    """The cells' columns and rows [1,h*w,2]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((x, y), -1).reshape(1, -1, 2)
