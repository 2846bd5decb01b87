"""A tiny run from pictures to weights: it learns, and after a stop it goes on to the very same weights."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from torch.utils.data import Dataset

from contracts.errors import ConfigError
from tests.training_tools import stopped_in_step
from training import checkpoint, fit
from training.__main__ import RECIPES, main
from training.detector import load_start, load_trained, start_net, train
from training.errors import DivergedError, check_finite
from training.fit import Task, blend, learning_rate
from training.network import load_exported
from training.place import Place
from training.recipe import AugmentConfig, DetectorRecipe, LossConfig, ScheduleConfig, load_recipe

pytestmark = [
    pytest.mark.training,
    # tensorboard's event writer still asks for numpy names that went away in their old place
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*"),
]


def weights(path: Path) -> torch.Tensor:
    _, net = load_trained(path)
    return torch.cat([parameter.flatten() for parameter in net.parameters()])


def test_a_stopped_run_ends_where_an_unbroken_one_does(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    unbroken = weights(train(recipe, squares, tmp_path / "unbroken"))
    with stopped_in_step(4):  # the checkpoint of step 2 is there, step 3 is done but lost
        train(recipe, squares, tmp_path / "broken")
    state = checkpoint.load(tmp_path / "broken" / "detector-checkpoint.pt")
    assert state is not None
    assert state["step"] == 2
    torch.testing.assert_close(weights(train(recipe, squares, tmp_path / "broken")), unbroken, rtol=0, atol=1e-6)


def test_training_finds_the_square(recipe: DetectorRecipe, plain: AugmentConfig, squares: Path, tmp_path: Path) -> None:
    longer = msgspec.structs.replace(
        recipe,
        augment=plain,
        loss=LossConfig(distil=0),  # a random start is nothing to be held to
        schedule=ScheduleConfig(steps=40, batch=4, learning_rate=3e-3, warmup_steps=2, threads=1),
    )
    seen: list[float] = []
    real = fit._step

    def watched(*arguments: object) -> dict[str, float]:
        parts = real(*arguments)  # type: ignore[arg-type]
        seen.append(sum(parts.values()))
        return parts

    fit._step = watched  # type: ignore[assignment]
    try:
        train(longer, squares, tmp_path / "out")
    finally:
        fit._step = real
    assert sum(seen[-5:]) < 0.6 * sum(seen[:5])


def test_a_loss_that_runs_off_says_where_and_leaves_a_whole_checkpoint(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steep = msgspec.structs.replace(recipe.schedule, learning_rate=1e30, checkpoint_every=1)
    config, out = tmp_path / "recipe.yaml", tmp_path / "out"
    config.write_bytes(msgspec.yaml.encode(msgspec.structs.replace(recipe, size=128, crop=128, schedule=steep)))
    assert main(["train", "detector", "--config", str(config), "--data", str(squares), "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"detector: the loss ran off at step 2 \(.*gradient nan\)", said)
    assert "detector-checkpoint.pt holds the weights after step 1;" in said
    state = checkpoint.load(out / "detector-checkpoint.pt")
    assert state is not None
    assert state["step"] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state["net"].values())


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (1, "There is no checkpoint yet"),  # the first one comes after step 2
        (5, "holds the weights after step 4"),  # step 5 was done, too, and is lost
    ],
)
def test_what_ran_off_is_told_with_the_last_checkpoint(step: int, kept: str) -> None:
    with pytest.raises(DivergedError, match=kept):
        check_finite("detector", step, {"box": 1.0, "gradient": float("inf")}, every=2)
    check_finite("detector", step, {"box": 1.0, "gradient": 2.0}, every=2)


def test_a_checkpoint_of_another_recipe_is_refused(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    train(recipe, squares, tmp_path)
    with pytest.raises(ConfigError, match="belongs to another recipe"):
        train(msgspec.structs.replace(recipe, seed=2), squares, tmp_path)


def test_frozen_parts_keep_the_starts_weights(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    frozen = msgspec.structs.replace(recipe, freeze=("backbone",))
    torch.manual_seed(frozen.seed)
    start = start_net(frozen, squares)
    _, net = load_trained(train(frozen, squares, tmp_path))
    torch.testing.assert_close(net.backbone.state_dict(), start.backbone.state_dict(), rtol=0, atol=0)
    assert not torch.equal(net.heads[0].box.weight, start.heads[0].box.weight)


def test_a_run_may_start_from_a_model_that_was_exported_here() -> None:
    recipe, file = load_recipe(RECIPES / "detector.yaml"), Path("models/detector.onnx")
    wanted, started = load_exported(file).state_dict(), load_start(file, recipe).state_dict()
    assert all(torch.equal(started[name], tensor) for name, tensor in wanted.items())
    fewer = msgspec.structs.replace(recipe, labels={"person": ("person",)})
    with pytest.raises(ConfigError, match=r"start: detector.onnx has 11 channels, the recipe 1"):
        load_start(file, fewer)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.1),  # the first of ten warm-up steps
        (9, 1.0),  # the last
        (60, 0.55),  # half way down to a tenth
        (110, 0.1),  # the end
    ],
)
def test_the_learning_rate_warms_up_and_falls(step: int, rate: float) -> None:
    schedule = ScheduleConfig(steps=110, learning_rate=1.0, warmup_steps=10, final_fraction=0.1)
    assert learning_rate(step, schedule) == pytest.approx(rate)


def test_a_second_cycle_starts_at_the_top_again() -> None:
    schedule = ScheduleConfig(steps=200, cycle_steps=100, learning_rate=1.0, warmup_steps=10, final_fraction=0.1)
    rates = [learning_rate(step, schedule) for step in (9, 99, 100, 150, 199)]
    assert rates == pytest.approx([1.0, 0.1, 1.0, 0.55, 0.1], abs=0.001)


def test_a_blend_lies_between_start_and_trained(recipe: DetectorRecipe, squares: Path) -> None:
    start = start_net(recipe, squares)
    trained = copy.deepcopy(start)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1.0)
    mixed = blend(start, trained, 0.25)
    for ours, first in zip(mixed.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(ours, first + 0.25)


def test_two_processes_train_one_network(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe = msgspec.structs.replace(recipe, size=128, crop=128)  # the smallest that a recipe file may ask for
    config.write_bytes(msgspec.yaml.encode(recipe))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "training"]
    options = ["train", "detector", "--config", str(config), "--data", str(squares), "--out", str(out)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command, *options], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("training pictures:") == 1  # the second process waited for the first one's cache
    state = checkpoint.load(out / "detector-checkpoint.pt")
    assert state is not None
    assert state["step"] == recipe.schedule.steps
    torch.manual_seed(recipe.seed)
    start = start_net(recipe, squares)
    assert not torch.equal(weights(out / "weights.pt"), torch.cat([p.flatten() for p in start.parameters()]))
    assert list((out / "logs" / "detector").glob("events.out.tfevents.*"))


def test_the_ranks_share_the_pictures_of_a_step() -> None:
    class Numbers(Dataset[int]):
        def __getitem__(self, index: int) -> int:
            return index

    schedule = ScheduleConfig(steps=4, batch=2)
    task = Task("numbers", b"", Numbers(), lambda model, batch: {}, schedule)

    def positions(rank: int) -> list[list[int]]:
        batches = fit._batches(2, task, Place(torch.device("cpu"), rank, world=2))
        return [batch.tolist() for batch in batches]

    assert [positions(0), positions(1)] == [[[8, 9], [12, 13]], [[10, 11], [14, 15]]]
