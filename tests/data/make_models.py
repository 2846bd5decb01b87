"""Writes the tiny detectors of the tests: they see a box wherever a cell of the picture is bright.

    python tests/data/make_models.py        needs the package `onnx` (the extra `training`)

All take 64x64 pictures and know three labels: blue, green and red, by the brightest channel. A cell's confidence is
the mean of that channel over the cell / 255.

bright_boxes.onnx: layout `boxes`, any batch; cells of 16x16 px; the box is the cell.
bright_looks.onnx: the same with embeddings: the means of the cell's three channels / 255, zeros for cells below .2.
bright_yolox.onnx: layout `yolox`, batch of one; cells of 8, 16 and 32 px; the box is the cell, moved up and left by
half a cell (a YOLOX cell with zero offsets has its centre in its top left corner).
bright_classifier.onnx: logits[N,3] of the labels, from the means of three 8x8 maps; any batch.
bright_bent.onnx: the same with something that is not linear behind the means.
bright_blind.onnx, bright_raising.onnx, bright_slow.onnx: bright_boxes.onnx with a fault. They open and pass the first
run like a good one; then the first finds nothing, the second fails wherever something is bright, the third takes
a tenth of a second.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
FOLDER = Path(__file__).parent


def constant(name, array):
    """An initializer."""
    return numpy_helper.from_array(np.asarray(array), name)


def save(name, nodes, inputs, outputs, constants):
    """Check and write one model; IR 8 and opset 17 are read by every onnxruntime that we allow."""
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def boxes(looks=False):
    """uint8[N,64,64,3] → boxes[N,16,4], scores[N,16], classes[N,16] and, with `looks`, embeddings[N,16,3]."""
    cells = np.array([[x, y, x + 16, y + 16] for y in range(0, SIDE, 16) for x in range(0, SIDE, 16)], np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["chw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["chw"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Div", ["pooled", "white"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "flat"], ["cells_by_channel"]),
        helper.make_node("ReduceMax", ["cells_by_channel"], ["scores"], axes=[1], keepdims=0),
        helper.make_node("ArgMax", ["cells_by_channel"], ["classes"], axis=1, keepdims=0),
        helper.make_node("Mul", ["scores", "zero"], ["zeros"]),
        helper.make_node("Unsqueeze", ["zeros", "last"], ["zeros_4"]),
        helper.make_node("Add", ["zeros_4", "cells"], ["boxes"]),
    ]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 16, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 16]),
        helper.make_tensor_value_info("classes", TensorProto.INT64, ["N", 16]),
    ]
    if looks:
        nodes += [
            helper.make_node("Transpose", ["cells_by_channel"], ["channels_by_cell"], perm=[0, 2, 1]),
            helper.make_node("GreaterOrEqual", ["scores", "least_look"], ["worth"]),
            helper.make_node("Cast", ["worth"], ["worth_1"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["worth_1", "last"], ["worth_3"]),
            helper.make_node("Mul", ["channels_by_cell", "worth_3"], ["embeddings"]),
        ]
        outputs.append(helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", 16, 3]))
    save(
        "bright_looks" if looks else "bright_boxes",
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        outputs,
        [
            *([constant("least_look", np.float32(0.2))] if looks else []),
            constant("white", np.float32(255)),
            constant("zero", np.float32(0)),
            constant("flat", np.array([0, 3, 16], np.int64)),
            constant("last", np.array([2], np.int64)),
            constant("cells", cells[None]),
        ],
    )


def yolox():
    """float[1,3,64,64] → output[1,84,8]: x, y, log w, log h (all 0), objectness 1, three class scores."""
    nodes = [helper.make_node("Div", ["images", "white"], ["scaled"])]
    for stride in (8, 16, 32):
        window = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["scaled"], [f"pooled_{stride}"], **window))
        nodes.append(helper.make_node("Reshape", [f"pooled_{stride}", "flat"], [f"cells_{stride}"]))
    nodes += [
        helper.make_node("Concat", ["cells_8", "cells_16", "cells_32"], ["cells"], axis=2),
        helper.make_node("Transpose", ["cells"], ["scores"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["head", "scores"], ["output"], axis=2),
    ]
    head = np.zeros((1, 84, 5), np.float32)
    head[..., 4] = 1.0
    save(
        "bright_yolox",
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 84, 8])],
        [
            constant("white", np.float32(255)),
            constant("flat", np.array([0, 3, -1], np.int64)),
            constant("head", head),
        ],
    )


def classifier(name, head):
    """uint8[N,64,64,3] → logits[N,3]: 8x8 maps of how much of each channel is beyond the others, and their means."""
    kernel = np.zeros((3, 3, 8, 8), np.float32)
    for channel in range(3):
        kernel[channel] = -0.5
        kernel[channel, channel] = 1.0
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["chw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["chw", "kernel"], ["beyond"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Relu", ["beyond"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        *head,
    ]
    save(
        name,
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])],
        [constant("kernel", kernel / (64 * 255)), constant("weights", 20 * np.eye(3, dtype=np.float32))],
    )


def broken(name, nodes, constants=()):
    """bright_boxes.onnx with its `scores` made by these nodes out of what they were, which is called `whole`."""
    good = onnx.load(FOLDER / "bright_boxes.onnx").graph
    before = list(good.node)
    for node in before:
        names = ["whole" if output == "scores" else output for output in node.output]
        node.ClearField("output")
        node.output.extend(names)
    place = next(number for number, node in enumerate(before) if "whole" in node.output) + 1
    nodes = [*before[:place], *nodes, *before[place:]]
    save(name, nodes, list(good.input), list(good.output), [*good.initializer, *constants])


def raising():
    """The brightest cell's score, doubled and cut to a whole number, is a place in a list of one: 0, or out of it."""
    broken(
        "bright_raising",
        [
            helper.make_node("ReduceMax", ["whole"], ["brightest"], keepdims=0),
            helper.make_node("Mul", ["brightest", "two"], ["doubled"]),
            helper.make_node("Cast", ["doubled"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["one", "place"], ["factor"]),
            helper.make_node("Mul", ["whole", "factor"], ["scores"]),
        ],
        [constant("two", np.float32(2)), constant("one", np.array([1], np.float32))],
    )


def slow(layers=12, channels=64):
    """Convolutions of the whole picture, 150 million multiplications each, whose mean counts for nothing."""
    first, others = np.array([channels, 3, 3, 3], np.int64), np.array([channels, channels, 3, 3], np.int64)
    weight = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.01])
    names = [f"layer_{number}" for number in range(layers + 1)]
    broken(
        "bright_slow",
        [
            helper.make_node("ConstantOfShape", ["first"], ["first_weights"], value=weight),
            helper.make_node("ConstantOfShape", ["others"], ["other_weights"], value=weight),
            helper.make_node("Conv", ["chw", "first_weights"], [names[0]], pads=[1, 1, 1, 1]),
            *(
                helper.make_node("Conv", [before, "other_weights"], [after], pads=[1, 1, 1, 1])
                for before, after in pairwise(names)
            ),
            helper.make_node("ReduceMean", [names[-1]], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Unsqueeze", ["nothing", "second"], ["nothing_1"]),
            helper.make_node("Add", ["whole", "nothing_1"], ["scores"]),
        ],
        [constant("first", first), constant("others", others), constant("second", np.array([1], np.int64))],
    )


if __name__ == "__main__":
    boxes()
    boxes(looks=True)
    yolox()
    classifier("bright_classifier", [helper.make_node("Gemm", ["features", "weights"], ["logits"], transB=1)])
    bent = [
        helper.make_node("Sqrt", ["features"], ["bent"]),
        helper.make_node("MatMul", ["bent", "weights"], ["logits"]),
    ]
    classifier("bright_bent", bent)
    broken("bright_blind", [helper.make_node("Mul", ["whole", "zero"], ["scores"])])
    raising()
    slow()
