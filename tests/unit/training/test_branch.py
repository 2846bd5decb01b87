"""A branch for one label: it starts as the network, learns alone, and leaves the other labels as they are."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from training.dataset import read_sets
from training.detector import add_branch, fit_detector, load_trained, start_net, train
from training.export import Exported, export_detector
from training.fit import blend
from training.network import DetectorNet, load_exported, net_of
from training.parity import compare
from training.place import find_place
from training.predict import open_session
from training.recipe import DetectorRecipe, SetConfig

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")]

GROUPS = ((0,), (1, 2), (3,))
"""Of four channels; the branch is for the second label, which has two of them."""


@pytest.fixture
def net() -> DetectorNet:
    """A small network that finds much."""
    torch.manual_seed(4)
    net = DetectorNet(4, width=4).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.9)
    return net


@pytest.fixture
def pictures() -> Tensor:
    return torch.randint(0, 255, (2, 128, 128, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


KINDS = pytest.mark.parametrize("own_neck", [False, True], ids=["corrects", "reads for itself"])


def learnt(net: DetectorNet, own_neck: bool = False) -> DetectorNet:
    """The network with a branch that says something of its own."""
    branched = copy.deepcopy(net)
    branch = branched.add_branch((1, 2), own_neck)
    with torch.no_grad():
        for parameter in branch.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.3)
    return branched


def answers(net: DetectorNet, pictures: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        boxes, scores, *_ = Exported(net, GROUPS).eval()(pictures)
    return boxes, scores


@KINDS
def test_at_the_start_it_says_what_the_network_says(net: DetectorNet, pictures: Tensor, own_neck: bool) -> None:
    boxes, scores = answers(net, pictures)
    net.add_branch((1, 2), own_neck)
    both_boxes, both_scores = answers(net, pictures)
    cells = boxes.shape[1]
    torch.testing.assert_close(both_boxes[:, cells:], boxes, rtol=0, atol=0)
    torch.testing.assert_close(both_scores[:, cells:, 1], scores[..., 1], rtol=0, atol=0)


@KINDS
def test_the_other_labels_keep_their_answers_to_the_bit(net: DetectorNet, pictures: Tensor, own_neck: bool) -> None:
    boxes, scores = answers(net, pictures)
    both_boxes, both_scores = answers(learnt(net, own_neck), pictures)
    cells = boxes.shape[1]
    assert torch.equal(both_boxes[:, :cells], boxes)
    assert torch.equal(both_scores[:, :cells, [0, 2]], scores[..., [0, 2]])
    assert not torch.equal(both_scores[:, cells:, 1], scores[..., 1])
    # Of each half of the cells the other half's labels are silent.
    assert not both_scores[:, :cells, 1].any()
    assert not both_scores[:, cells:, [0, 2]].any()


def test_what_corrects_may_come_to_read_for_itself(net: DetectorNet, pictures: Tensor) -> None:
    corrects = learnt(net)
    reads = copy.deepcopy(corrects)
    reads.add_reading(reads.branches[0])
    for before, after in zip(answers(corrects, pictures), answers(reads, pictures), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=0)
    again = net_of(reads.state_dict())
    torch.testing.assert_close(again.state_dict(), reads.state_dict(), rtol=0, atol=0)


@KINDS
@pytest.mark.parametrize("known", ["nothing", "something"])
def test_the_exported_file_says_the_same_and_gives_it_back(
    net: DetectorNet, pictures: Tensor, tmp_path: Path, known: str, own_neck: bool
) -> None:
    # A branch that learnt nothing has weights that are equal to the head's, and to each other.
    branched = learnt(net, own_neck) if known == "something" else net
    if not branched.branches.channels:
        branched.add_branch((1, 2), own_neck)
    export_detector(branched, GROUPS, 128, tmp_path / "branched.onnx")
    session = open_session(tmp_path / "branched.onnx", 1)
    found = compare(Exported(branched, GROUPS).eval(), session, list(pictures.numpy()))
    assert found.boxes > 10
    assert found.unmatched == 0
    assert found.box_px < 0.05
    assert found.score < 1e-4
    again = load_exported(tmp_path / "branched.onnx")
    assert again.branches.channels == ((1, 2),)
    torch.testing.assert_close(again.state_dict(), branched.state_dict(), rtol=0, atol=0)


@KINDS
def test_only_the_branch_is_trained(recipe: DetectorRecipe, squares: Path, tmp_path: Path, own_neck: bool) -> None:
    branched = msgspec.structs.replace(recipe, branch=("square",), blend=0.5, own_neck=own_neck)
    torch.manual_seed(branched.seed)
    start = start_net(branched, squares)
    _, net = load_trained(train(branched, squares, tmp_path))
    first, last = start.state_dict(), net.state_dict()
    changed = {name.partition(".")[0] for name, value in first.items() if not torch.equal(value, last[name])}
    assert changed == {"branches"}


def test_boxes_of_other_labels_teach_it_no_label_of_its_own(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path
) -> None:
    circles = SetConfig(
        name="circles", role="train", format="yolo", pictures="pictures", labels="labels", names=("circle",)
    )
    schedule = msgspec.structs.replace(recipe.schedule, steps=30, learning_rate=1e-2, ema_decay=0.5)
    branched = msgspec.structs.replace(recipe, branch=("square",), sets=(circles,), schedule=schedule)
    torch.manual_seed(branched.seed)
    start = start_net(branched, squares)
    _, net = load_trained(train(branched, squares, tmp_path))
    picture = torch.from_numpy(np.full((1, 96, 96, 3), 114, np.uint8))
    with torch.no_grad():
        before, after = (Exported(one, branched.groups).eval()(picture)[1][..., 0].max() for one in (start, net))
    assert after < before


def test_a_blend_of_a_branch_keeps_the_network(net: DetectorNet) -> None:
    start, trained = copy.deepcopy(net), learnt(net)
    start.add_branch((1, 2))
    mixed = blend(start, trained, 0.3).state_dict()
    assert all(torch.equal(value, mixed[name]) for name, value in net.state_dict().items())


def test_a_second_branch_leaves_the_first_as_it_is(net: DetectorNet, pictures: Tensor) -> None:
    first = learnt(net)
    second = copy.deepcopy(first)
    second.add_branch((3,))
    boxes, scores = answers(first, pictures)
    both_boxes, both_scores = answers(second, pictures)
    cells = scores.shape[1]
    assert torch.equal(both_boxes[:, :cells], boxes)
    assert torch.equal(both_scores[:, :cells, :2], scores[..., :2])
    torch.testing.assert_close(both_scores[:, cells:, 2], scores[:, : cells // 2, 2], rtol=0, atol=0)
    assert not both_scores[:, :cells, 2].any()


def test_only_the_branch_of_the_recipe_learns(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    branched = msgspec.structs.replace(recipe, branch=("square",))
    start = start_net(msgspec.structs.replace(branched, branch=("other",)), squares)
    add_branch(start, branched)
    sets = read_sets(recipe.sets, ("train",), squares, tmp_path, recipe.channels)
    trained = fit_detector(start, sets, branched, find_place(), tmp_path)
    first, last = start.state_dict(), trained.state_dict()
    changed = {name.split(".")[1] for name, value in first.items() if not torch.equal(value, last[name])}
    assert changed == {"1"}


def test_only_the_branch_of_the_recipe_comes_to_read_for_itself(recipe: DetectorRecipe, squares: Path) -> None:
    start = start_net(msgspec.structs.replace(recipe, branch=("other",)), squares)
    add_branch(start, msgspec.structs.replace(recipe, branch=("square",)))
    add_branch(start, msgspec.structs.replace(recipe, branch=("square",), own_neck=True))
    assert [branch.reading is not None for branch in start.branches] == [False, True]


def test_what_the_network_made_of_a_window_is_kept_closely_enough(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path
) -> None:
    batch = recipe.schedule.batch
    schedule = msgspec.structs.replace(recipe.schedule, steps=2)
    branched = msgspec.structs.replace(recipe, branch=("square",), schedule=schedule)
    nets = []
    for windows in (0, 2 * batch):
        own = msgspec.structs.replace(branched, windows=windows)
        nets.append(load_trained(train(own, squares, tmp_path / str(windows)))[1].state_dict())
    torch.testing.assert_close(nets[0], nets[1], rtol=1e-2, atol=1e-3)
