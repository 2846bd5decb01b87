"""The exported file: its contract with the stream, its equality with torch, and pictures that do not see each other."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from training.export import LEAST_SCORE, MOST_BOXES, Exported, export_detector
from training.network import DetectorNet
from training.parity import compare, torch_detect
from training.predict import open_session, time_ratio

pytestmark = pytest.mark.training

GROUPS = ((0,), (1, 2))


@pytest.fixture(scope="module")
def net() -> DetectorNet:
    """A small network that finds much, so that the suppression has something to do."""
    torch.manual_seed(4)
    net = DetectorNet(3, width=4).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:  # 1.9: enough that pixels reach the scores, too little for sizes to overflow
                parameter.mul_(1.9)
    return net


@pytest.fixture(scope="module")
def path(net: DetectorNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    export_detector(net, GROUPS, 128, path)
    return path


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (3, 128, 128, 3), dtype=np.uint8)


def test_inputs_and_outputs_are_what_the_stream_expects(path: Path, pictures: np.ndarray) -> None:
    session = open_session(path, 1)
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("images", "tensor(uint8)", ["batch", 128, 128, 3])
    ]
    boxes, scores, classes = session.run(["boxes", "scores", "classes"], {"images": pictures})
    assert (boxes.shape, boxes.dtype) == ((3, MOST_BOXES, 4), np.float32)
    assert (scores.shape, scores.dtype) == ((3, MOST_BOXES), np.float32)
    assert (classes.shape, classes.dtype) == ((3, MOST_BOXES), np.int64)
    assert (scores > 0).sum(1).min() > 3
    assert (np.diff(scores, axis=1) <= 0).all()
    assert set(np.unique(classes[scores > 0])) <= {0, 1}
    assert onnx.load(str(path)).opset_import[0].version == 17


def test_a_picture_does_not_see_its_neighbours(path: Path, pictures: np.ndarray) -> None:
    session = open_session(path, 1)
    together = session.run(None, {"images": pictures})
    for index in range(len(pictures)):
        alone = session.run(None, {"images": pictures[index : index + 1]})
        for whole, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[index], single[0], rtol=1e-4, atol=1e-3)


def test_onnx_says_what_torch_says(net: DetectorNet, path: Path, pictures: np.ndarray) -> None:
    found = compare(Exported(net, GROUPS).eval(), open_session(path, 1), list(pictures))
    assert found.boxes > 10
    assert found.unmatched == 0
    assert found.box_px < 0.05
    assert found.score < 1e-4


def test_a_disagreement_is_seen(net: DetectorNet, path: Path, pictures: np.ndarray) -> None:
    other = Exported(net, ((1,), (0, 2))).eval()  # the labels' channels swapped
    found = compare(other, open_session(path, 1), list(pictures))
    assert found.unmatched > 0


@pytest.mark.parametrize(
    ("score", "unmatched"), [(LEAST_SCORE * 1.0001, 0), (LEAST_SCORE * 1.1, 1)], ids=["at", "above"]
)
def test_a_box_at_the_least_score_may_be_on_one_side_only(
    net: DetectorNet, pictures: np.ndarray, score: float, unmatched: int
) -> None:
    model = Exported(net, GROUPS).eval()
    session = cast(onnxruntime.InferenceSession, OneMore(model, score))
    assert compare(model, session, list(pictures[:1])).unmatched == unmatched


class OneMore:
    """An exported file that says what torch says, and one more box of this score."""

    def __init__(self, model: Exported, score: float) -> None:
        self._model = model
        self._more = (np.zeros((1, 4), np.float32), np.array([score], np.float32), np.zeros(1, np.int64))

    def run(self, _names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        said = torch_detect(self._model, feeds["images"][0])
        return [np.concatenate(parts)[None] for parts in zip(said, self._more, strict=True)]


def test_the_recipes_overlap_decides_what_is_one_object(net: DetectorNet, pictures: np.ndarray, tmp_path: Path) -> None:
    export_detector(net, GROUPS, 128, tmp_path / "strict.onnx", nms_iou=0.2)
    session = open_session(tmp_path / "strict.onnx", 1)
    strict = compare(Exported(net, GROUPS, 0.2).eval(), session, list(pictures))
    usual = compare(Exported(net, GROUPS).eval(), session, list(pictures))
    assert strict.unmatched == 0
    assert usual.unmatched > 0


def test_times_are_held_against_a_public_file_at_its_own_size(net: DetectorNet, tmp_path: Path) -> None:
    shape = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 3, 64, 96)) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "public", shape[:1], shape[1:])
    public = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(public, tmp_path / "public.onnx")
    export_detector(net, GROUPS, 128, tmp_path / "ours.onnx")
    pictures = [np.zeros((128, 128, 3), np.uint8)]
    assert time_ratio(tmp_path / "ours.onnx", tmp_path / "public.onnx", pictures) > 0
