"""Weights out of ONNX files: a public network's convolutions into ours, and what was exported here by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from contracts.errors import ModelError

Array = NDArray[np.float32]
Fit = Callable[[str, nn.Conv2d, Array, Array], tuple[Array, Array]]
"""What becomes of the file's weight and bias before they go into the convolution of this name."""


def as_it_is(_name: str, _module: nn.Conv2d, weight: Array, bias: Array) -> tuple[Array, Array]:
    """The file's weight and bias."""
    return weight, bias


def load_convolutions(net: nn.Module, file: Path, fit: Fit = as_it_is) -> None:
    """Fill the network from a file whose batch norm is folded in.

    The file's convolutions come in the order in which ours are registered. Raises ModelError when it holds another
    network.
    """
    graph = onnx.load(str(file)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    theirs = [(arrays[node.input[1]], arrays[node.input[2]]) for node in graph.node if node.op_type == "Conv"]
    ours = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    if len(theirs) != len(ours):
        raise ModelError(f"{file.name}: {len(theirs)} convolutions, the network has {len(ours)}")
    for (name, module), found in zip(ours, theirs, strict=True):
        weight, bias = fit(name, module, *found)
        if module.weight.shape != weight.shape or module.bias is None:
            raise ModelError(f"{file.name}: {name} is {tuple(module.weight.shape)}, the file's {weight.shape}")
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(weight.copy()))
            module.bias.copy_(torch.from_numpy(bias.copy()))


def exported_tensors(file: Path, prefix: str) -> dict[str, Tensor]:
    """The weights of an exported file by their names behind the prefix: export.py keeps the parameters' names."""
    return {
        tensor.name.removeprefix(prefix): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(str(file)).graph.initializer
        if tensor.name.startswith(prefix)
    }
