"""The bundled recipe is valid, keeps its splits apart, and a wrong one says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import ConfigError
from training.__main__ import RECIPES, main
from training.network import COCO_NAMES, DetectorNet, load_yolox
from training.recipe import load_recipe

pytestmark = pytest.mark.training

TEST_ONLY = ("vtest", "TUD-Campus", "Rest_", "Browse_WhileWaiting2", "Browse1", "PETS09", "MOT17")


def test_no_test_picture_is_trained_on_or_sets_a_threshold() -> None:
    recipe = load_recipe(RECIPES / "detector.yaml")
    learnt = [item.pictures for item in recipe.sets if item.role != "test"]
    assert not [path for path in learnt for name in TEST_ONLY if name in path]
    parts = {item.role: (item.keep_start, item.keep_step) for item in recipe.sets if "coco128" in item.pictures}
    assert parts == {"train": (0, 4), "validate": (2, 4), "test": (1, 2)}
    campus = {item.role: item.match for item in recipe.sets if "PennFudan" in item.pictures}
    assert campus == {"train": "Fudan", "validate": "Penn"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("size: 416", "size: 400"), "size: 400 is not a multiple of 32"),
        (("size: 416", "size: 96"), "size: 96 is less than 128"),
        (("dog: [dog]", "dog: [cat]"), "labels: a channel is in two labels"),
        (("name: penn,", "name: vtest,"), "sets: two sets have the same name"),
        (("seed: 1", "branch: [people]"), "branch: people: not among the labels"),
        (("seed: 1", "windows: 2401"), "windows: 2401 is not a multiple of the batch, 8"),
        (("seed: 1", "sead: 1"), "sead"),  # an unknown key
    ],
)
def test_a_wrong_recipe_says_where(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    text = (RECIPES / "detector.yaml").read_text()
    assert change[0] in text
    (tmp_path / "wrong.yaml").write_text(text.replace(*change))
    with pytest.raises(ConfigError, match=says):
        load_recipe(tmp_path / "wrong.yaml")


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "detector", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "sets.caviar-Browse3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["bundle", "detector", "--models", "m"], "--config"),  # the run's own recipe lies in its weights
        (["bundle", "face-localiser", "--models", "m"], "--appearance"),  # faces have no such head
        (["train", "detector"], "--collection"),  # that is `finetune`
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    command: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--data", "d", "--out", "o", option, "x"])
    assert f"unrecognized arguments: {option} x" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["detector", "faces"])
def test_another_files_figures_are_not_recorded(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--data", str(tmp_path), "--out", str(tmp_path), "--manifest", "models/detector.json", "--record"]
    assert main(["evaluate", kind, *told, "--model", "detector.int8.onnx"]) == 2
    assert "--record: a manifest has the figures of its own file" in capsys.readouterr().err


@pytest.mark.shared
def test_the_public_weights_give_the_same_numbers_in_our_network() -> None:
    import numpy as np
    import torch

    from training.predict import open_session

    weights = Path(__file__).parents[4] / "shared" / "data" / "weights" / "yolox_nano.onnx"
    net = DetectorNet(80).eval()
    load_yolox(net, weights, COCO_NAMES)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 3, 416, 416)).astype(np.float32)
    (raw,) = open_session(weights, 1).run(None, {"images": pixels})
    with torch.no_grad():
        ours = net(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-ours[..., 4:])), raw[..., 4:], atol=1e-4)
