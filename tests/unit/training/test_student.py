"""A student of a bundled detector: hinges that start near SiLU, stages that are held, and the 8-bit file in the end."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from contracts.errors import ConfigError
from contracts.manifest import load_manifest, model_bytes
from stream.vision import Session, SessionOptions
from tests.training_tools import stopped_in_step
from training.bundle import bundle_detector
from training.detector import load_trained, save_weights, start_net
from training.export import Exported, export_detector
from training.layers import Hinge
from training.matching import hinge_fit, line_fit, match
from training.network import DetectorNet, hinge, net_of
from training.parity import compare
from training.predict import open_session
from training.pruning import chains, prune
from training.quantise import part_of, quantise
from training.recipe import DetectorRecipe
from training.student import STAGES, Lesson, StudentRecipe, distance, start_student, train_student, with_stages

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")]

ALL = ("backbone", "neck", "heads")


def lively(net: DetectorNet) -> DetectorNet:
    """Random weights under which pixels reach the scores."""
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.9)
    return net.eval()


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (3, 128, 128, 3), dtype=np.uint8)


@pytest.fixture
def parent(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> Path:
    """The manifest of a detector in service, with random weights."""
    torch.manual_seed(4)
    sized = msgspec.structs.replace(recipe, size=128, crop=128)
    save_weights(lively(start_net(sized, squares)), sized, tmp_path / "weights.pt")
    bundle_detector(tmp_path / "weights.pt", squares, tmp_path / "work", tmp_path / "models", int8=False)
    return tmp_path / "models" / "squares.json"


@pytest.fixture
def student(recipe: DetectorRecipe) -> StudentRecipe:
    values = {name: getattr(recipe, name) for name in recipe.__struct_fields__}
    values |= {"name": "small", "crop": 128, "size": 128, "hinged": ALL, "int8": True}
    values["schedule"] = msgspec.structs.replace(recipe.schedule, learning_rate=1e-3)
    return StudentRecipe(**values, matching_pictures=2)


def test_a_line_is_found_where_it_counts() -> None:
    ours = torch.tensor([[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]])
    theirs = torch.tensor([[1.0, 1.5, 2.0, 2.5], [9.0, 2.0, 4.0, 6.0]])
    slope, shift = line_fit(ours, theirs, torch.tensor([[1.0, 1, 1, 1], [0.0, 1, 1, 1]]))
    torch.testing.assert_close(slope, torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(shift, torch.tensor([1.0, 0.0]))


def test_a_hinge_is_nearer_to_silu_than_relu_is() -> None:
    x = torch.linspace(-4, 4, 400)[None]
    wanted = functional.silu(x)
    slope, shift, least = hinge_fit(x, wanted)
    hinge = (slope * x + shift[0]).clamp(min=least)
    assert least < 0
    assert float((hinge - wanted).square().mean()) < 0.3 * float((x.relu() - wanted).square().mean())


def test_a_matched_start_is_nearer(pictures: np.ndarray) -> None:
    torch.manual_seed(4)
    teacher, bare, matched = DetectorNet(3, width=4), DetectorNet(3, 4, ALL), DetectorNet(3, 4, ALL)
    for net in (bare, matched):
        net.load_state_dict(teacher.state_dict(), strict=False)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    match(matched, teacher, x)
    with torch.no_grad():
        wanted, before, after = (with_stages(net, x)[1] for net in (teacher, bare, matched))
    assert set(wanted) == set(STAGES)
    apart = [[float(distance(stages[name], wanted[name])) for name in STAGES] for stages in (before, after)]
    assert np.mean(apart[1]) < 0.3 * np.mean(apart[0])
    assert any(float(hinge.least.detach()) < 0 for hinge in matched.modules() if isinstance(hinge, Hinge))


def test_in_8_bits_hinges_are_gone_and_the_named_parts_are_not(pictures: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(4)
    net = lively(DetectorNet(3, 4, ALL))
    export_detector(net, ((0,), (1, 2)), 128, tmp_path / "whole.onnx")
    found = compare(Exported(net, ((0,), (1, 2))).eval(), open_session(tmp_path / "whole.onnx", 1), list(pictures))
    assert (found.unmatched, found.box_px < 0.05, found.score < 1e-4) == (0, True, True)
    quantise(tmp_path / "whole.onnx", list(pictures), tmp_path / "int8.onnx", ["backbone.stem", "backbone.dark2.0"])
    nodes = onnx.load(str(tmp_path / "int8.onnx")).graph.node
    floats = {node.input[1] for node in nodes if node.op_type == "Conv" and node.input[1].endswith(".weight")}
    wanted = ("stem.0", "dark2.0.0.0", "dark2.0.1.0")
    assert floats == {f"net.backbone.{name}.weight" for name in wanted}
    assert [node.output[0] for node in nodes if node.op_type == "Cast" and "weight" in node.output[0]] == [
        "net.backbone.stem.0.weight"  # the one of these that is large enough to be worth 16 bits
    ]
    assert sum(node.op_type == "Clip" for node in nodes) == len(wanted)
    boxes, scores, _ = open_session(tmp_path / "int8.onnx", 1).run(None, {"images": pictures})
    assert np.isfinite(boxes).all()
    assert (scores > 0).sum(1).min() > 3


@pytest.mark.parametrize(
    ("node", "part"),
    [
        ("/backbone/dark2/dark2.0/dark2.0.1/dark2.0.1.0/Conv", "backbone.dark2.0.1.0"),
        ("/neck/Concat", "neck"),
        ("/heads.2/stem/stem.1/Sigmoid", "heads.2.stem.1"),
        ("/branches/branches.0/reading/neck/top4/past/past.0/Conv", "branches.0.reading.neck.top4.past.0"),
        ("/Cast", ""),
    ],
)
def test_a_node_is_of_the_module_that_it_was_traced_from(node: str, part: str) -> None:
    assert part_of(node) == part


def test_in_a_float_part_activations_are_as_they_were(pictures: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(4)
    export_detector(lively(DetectorNet(3, 4)), ((0,), (1, 2)), 128, tmp_path / "whole.onnx")
    quantise(tmp_path / "whole.onnx", list(pictures), tmp_path / "floats.onnx", ["backbone", "neck", "heads"])
    nodes = onnx.load(str(tmp_path / "floats.onnx")).graph.node
    assert not [node.name for node in nodes if node.op_type == "QuantizeLinear"]
    found = [open_session(tmp_path / name, 1).run(None, {"images": pictures}) for name in ("whole.onnx", "floats.onnx")]
    np.testing.assert_allclose(found[0][1], found[1][1], atol=0.01)


def test_what_does_not_learn_stays_to_the_bit(student: StudentRecipe, pictures: np.ndarray) -> None:
    torch.manual_seed(4)
    teacher = DetectorNet(3, width=8)
    teacher.add_branch([0], own_neck=True)
    lively(teacher)
    taught = msgspec.structs.replace(student, learns=("branches",), hinged=("branches",), pruned=0.5)
    items = [(torch.from_numpy(one).permute(2, 0, 1), None) for one in pictures]
    made = start_student(teacher, taught, items)  # type: ignore[arg-type]  # of the pictures only these are looked at
    before = teacher.state_dict()
    same = [name for name, value in made.state_dict().items() if torch.equal(value, before.get(name, torch.zeros(0)))]
    assert {name.partition(".")[0] for name in same if not name.startswith("branches")} == {*ALL}
    assert len(made.state_dict()) > len(before), "the branch has hinges"
    assert {name for name in before if not name.startswith("branches")} <= {*same}
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(made(x), teacher(x), rtol=0, atol=0)


def test_a_student_becomes_a_model_that_the_stream_opens(
    student: StudentRecipe, parent: Path, squares: Path, tmp_path: Path
) -> None:
    train_student(student, parent, squares, tmp_path / "out")
    made = bundle_detector(tmp_path / "out" / "weights.pt", squares, tmp_path / "out", tmp_path / "made", int8=False)
    again = load_manifest(tmp_path / "made" / "small.json")
    model_bytes(again, tmp_path / "made")
    assert again.lineage is not None
    assert (made.name, again.lineage.parent) == ("small", load_manifest(parent).id)
    session = Session.open(again, tmp_path / "made", SessionOptions(device="cpu"))
    assert len(session.infer([np.zeros((128, 128, 3), np.uint8)] * 2)) == 2


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    student: StudentRecipe, parent: Path, squares: Path, tmp_path: Path
) -> None:
    _, unbroken = load_trained(train_student(student, parent, squares, tmp_path / "unbroken"))
    with stopped_in_step(4):
        train_student(student, parent, squares, tmp_path / "broken")
    _, resumed = load_trained(train_student(student, parent, squares, tmp_path / "broken"))
    torch.testing.assert_close(resumed.state_dict(), unbroken.state_dict(), rtol=0, atol=1e-6)


CORRECTS = {f"corrections.{level}.tower" for level in range(3)}
READS = {f"reading.{stage}" for stage in STAGES if not stage.startswith("backbone")}


@pytest.mark.parametrize(
    ("own_neck", "convolutions", "stages"),
    [(False, 12, CORRECTS), (True, 57, READS)],
    ids=["that corrects", "that reads for itself"],
)
def test_a_student_learns_a_branch_too(
    student: StudentRecipe, pictures: np.ndarray, own_neck: bool, convolutions: int, stages: set[str]
) -> None:
    torch.manual_seed(4)
    teacher = DetectorNet(3, width=4)
    teacher.add_branch([0], own_neck)
    lively(teacher).requires_grad_(False)
    net = copy.deepcopy(teacher)
    hinge(net, (*ALL, "branches"))
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    match(net, teacher, x)
    net.requires_grad_(True)
    loss = Lesson(teacher, student)(net, (x, []))
    torch.stack([*loss.values()]).sum().backward()
    hinges = [name for name, module in net.named_modules() if isinstance(module, Hinge) and "branches" in name]
    assert len(hinges) == convolutions
    learn = {name: one for name, one in net.named_parameters() if "branches" in name and name.endswith("0.weight")}
    assert len(learn) == convolutions
    assert all(one.grad is not None and one.grad.any() for one in learn.values())
    assert set(with_stages(teacher, x)[1]) - set(STAGES) == {f"branches.0.{stage}" for stage in stages}


def test_a_pruned_channel_that_says_nothing_changes_nothing(pictures: np.ndarray) -> None:
    torch.manual_seed(4)
    net = lively(DetectorNet(3, width=8))
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        for chain in chains(net):
            chain.reads.weight[:, : chain.reads.in_channels // 2] = 0
        before = net(x)
        prune(net, 0.5, x)
        torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-3)
    assert {chain.gives.out_channels for chain in chains(net)} == {8, 16, 32}
    torch.testing.assert_close(net_of(net.state_dict())(x), net(x))


def test_a_student_has_its_teachers_labels(student: StudentRecipe, parent: Path, squares: Path, tmp_path: Path) -> None:
    other = msgspec.structs.replace(student, labels={"circle": ("circle",)})
    with pytest.raises(ConfigError, match="labels"):
        train_student(other, parent, squares, tmp_path)
