"""The INT8 variant: static quantisation up to the last convolutions, calibrated on real frames."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

# What follows the last convolutions (boxes in pixels, scores, suppression) needs floats: 8 bits are 1.6 pixels of 416.
QUANTISED = ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize", "Relu", "Clip", "HardSwish")
# Of smaller tensors the name of the half would be as large as what it saves.
LEAST_HALVED = 256
MOST_HALVED = 65_504.0
"""The largest number of 16 bits: a layer with a larger weight stays as it is."""


class _Frames(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Letterboxed frames one by one."""

    def __init__(self, frames: Sequence[NDArray[np.uint8]]) -> None:
        self._frames: Iterator[NDArray[np.uint8]] = iter(frames)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        frame = next(self._frames, None)
        return None if frame is None else {"images": frame[None]}


def quantise(model: Path, frames: Sequence[NDArray[np.uint8]], out: Path, floats: Sequence[str] = ()) -> None:
    """Write the INT8 variant of an exported model; frames are pictures uint8[S,S,3] as it gets them.

    Of a detector the parts whose names begin with one of `floats` compute as they are, activations included. What is
    left of floating-point weights is written with 16 bits: numbers of 11 digits, which no figure tells from 24.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        whole = onnx.load(str(prepared))
        quantize_static(
            str(prepared),
            str(out),
            _Frames(frames),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=_behind_heads(whole) + _in_parts(whole, floats),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    written = onnx.load(str(out))
    _halve(written.graph)
    out.write_bytes(written.SerializeToString())


def _in_parts(model: onnx.ModelProto, parts: Sequence[str]) -> list[str]:
    """The nodes of these parts of a detector."""
    starts = tuple(f"{part}." for part in parts)
    return [node.name for node in model.graph.node if f"{part_of(node.name)}.".startswith(starts)]


def part_of(node: str) -> str:
    """The module that a traced node comes from: `/backbone/dark2/dark2.0/Conv` is of `backbone.dark2.0`.

    Of a sequence's members each scope repeats the sequence's name.
    """
    *scopes, _op = node.strip("/").split("/")
    path: list[str] = []
    for before, scope in zip(["", *scopes], scopes, strict=False):
        path.append(scope.removeprefix(f"{before}."))
    return ".".join(path)


def _halve(graph: onnx.GraphProto) -> None:
    """Store large weights with 16 bits: the runtime makes floats of them when it loads the file; no picture waits."""
    casts = []
    for tensor in graph.initializer:
        weight = tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
        if not weight or np.prod(tensor.dims) < LEAST_HALVED:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > MOST_HALVED:
            continue
        name, stored = tensor.name, f"{tensor.name}/half"
        casts.append(onnx.helper.make_node("Cast", [stored], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _behind_heads(model: onnx.ModelProto) -> list[str]:
    """The nodes that no convolution follows but for the heads' last ones: decoding and suppression."""
    feeds: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            feeds.setdefault(name, []).append(node)
    before_conv: set[str] = set()
    for node in reversed(model.graph.node):
        followers = [f for name in node.output for f in feeds.get(name, ())]
        if any(f.op_type == "Conv" or f.name in before_conv for f in followers):
            before_conv.add(node.name)
    return [n.name for n in model.graph.node if n.name not in before_conv and n.op_type != "Conv"]
