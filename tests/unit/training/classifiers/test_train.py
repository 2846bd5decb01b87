"""From pictures to a bundled classifier: stages, restart after a kill, weights, export."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from contracts.errors import ConfigError
from contracts.manifest import load_manifest, model_bytes
from training import fit as fitting
from training.__main__ import main
from training.classifiers.head import Looks, fit_head
from training.classifiers.network import load_classifier, open_network
from training.classifiers.recipe import (
    ClassifierRecipe,
    HeadConfig,
    NetworkConfig,
    ReplayConfig,
    load_classifier_recipe,
)
from training.classifiers.train import read_data, shares_of, train

RECIPE = """
name: shapes
version: "1"
network: {name: shufflenet_v2_x0_5, weights: none, size: 32}
attribute: {name: form, boxes: [person], part: head}
head: {views: 2, most_iterations: 30}
hold_out: 0.25
threads: 1
"""


def test_one_command_leaves_a_model_with_manifest_card_and_report(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    out = tmp_path / "out"
    told = ["--config", str(tmp_path / "recipe.yaml"), "--data", str(shapes), "--out", str(out)]
    assert main(["train", "classifier", *told]) == 0
    manifest = load_manifest(out / "shapes.json")
    assert (manifest.task, manifest.labels) == ("classifier", ("disc", "square"))
    assert manifest.attribute is not None
    assert (manifest.attribute.name, manifest.attribute.part) == ("form", "head")
    assert manifest.metrics["new.pictures"] == 8
    assert {path.name for path in (out / "report").iterdir()} >= {"metrics.json", "report.md", "new.png"}
    assert "shapes 1" in (out / "shapes.md").read_text()
    session = onnxruntime.InferenceSession(model_bytes(manifest, out), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"images": np.zeros((3, 32, 32, 3), np.uint8)})[0]
    assert logits.shape == (3, 2)
    told = ["--manifest", str(out / "shapes.json"), "--data", str(shapes), "--out", str(tmp_path / "again")]
    assert main(["evaluate", "classifier", *told]) == 0


def test_a_run_that_was_killed_ends_as_one_that_was_not(
    shapes: Path, small_recipe: ClassifierRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = read_data(small_recipe, shapes, shapes)
    whole = load_classifier(train(small_recipe, shapes, pictures, tmp_path / "whole")).net.state_dict()
    step, done = fitting._step, 0

    def killed(*arguments: object) -> dict[str, float]:
        nonlocal done
        done += 1
        if done == 3:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(small_recipe, shapes, pictures, tmp_path / "killed")
    monkeypatch.setattr(fitting, "_step", step)
    again = load_classifier(train(small_recipe, shapes, pictures, tmp_path / "killed")).net.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_a_folder_holds_one_run(shapes: Path, small_recipe: ClassifierRecipe, tmp_path: Path) -> None:
    quick = replace(small_recipe, tune=None)
    train(quick, shapes, read_data(quick, shapes, shapes), tmp_path / "out")
    other = replace(quick, seed=2)
    with pytest.raises(ConfigError, match="another recipe"):
        train(other, shapes, read_data(other, shapes, shapes), tmp_path / "out")


def test_pictures_of_before_make_up_their_share(shapes: Path, small_recipe: ClassifierRecipe) -> None:
    recipe = replace(small_recipe, replay=ReplayConfig(pictures="val/..", share=0.4))
    pictures = read_data(recipe, shapes, shapes)
    items = pictures.of("train")
    shares = shares_of(recipe, items)
    assert shares[[one.old for one in items]].sum() == pytest.approx(0.4)
    assert shares[[one.label == "disc" for one in items]].sum() == pytest.approx(0.5)


def test_the_head_separates_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(rng.integers(0, 3, 200))
    features = torch.from_numpy(rng.normal(0, 1, (200, 6)).astype(np.float32) * 5 + 40)
    features[torch.arange(200), targets] += 30
    known = Looks(features[:150], targets[:150], torch.ones(150))
    held = Looks(features[150:], targets[150:], torch.ones(50))
    head, _ = fit_head(known, held, HeadConfig(l2=(1e-4, 1e-2)), 3)
    assert (head(held.features).argmax(1) == held.targets).float().mean() > 0.95


def test_weights_without_batch_norm_and_with_other_names_fill_the_folded_network(tmp_path: Path) -> None:
    config = NetworkConfig(name="mobilenet_v2", weights="none", size=32)
    net = open_network(config, tmp_path)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean)  # type: ignore[arg-type]
    picture = torch.rand(1, 3, 32, 32) * 255
    folded = torch.fx.experimental.optimization.fuse(net.body)
    state = {f"a{k}": value for k, value in enumerate([*folded.state_dict().values(), net.head.weight, net.head.bias])}
    torch.save(state, tmp_path / "folded.pt")
    again = open_network(replace(config, weights="folded.pt"), tmp_path)
    assert torch.allclose(again(picture), net(picture), atol=1e-4)


@pytest.mark.parametrize(
    ("network", "word"),
    [
        (NetworkConfig(name="mobilenet_v9", weights="none"), "knows no"),
        (NetworkConfig(library="timm", name="mobilenet_v9", weights="none"), "knows no"),
        (NetworkConfig(name="mobilenet_v2", weights="gone.pt"), "not in the data folder"),
        (NetworkConfig(name="resnet18", weights="other.pt"), "another network"),
        (NetworkConfig(name="squeezenet1_1", weights="none"), "no linear layer"),
    ],
    ids=["torchvision's name", "timm's name", "no file", "another's weights", "no linear layer"],
)
def test_networks_that_cannot_be_had_are_refused(network: NetworkConfig, word: str, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=word):
        open_network(network, tmp_path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (RECIPE + "colour: red\n", "colour"),
        (RECIPE.replace("part: head", "part: feet"), "attribute.part"),
        (RECIPE.replace("part: head", "parts: head"), "parts"),
        (RECIPE + "labels: [a, a]\n", "twice"),
        (RECIPE + "view: {area: [0.9, 0.2]}\n", "range"),
    ],
    ids=["unknown key", "unknown part", "unknown key of the attribute", "label twice", "no range"],
)
def test_a_wrong_recipe_is_refused_with_its_key(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError, match=word):
        load_classifier_recipe(tmp_path / "recipe.yaml")


@pytest.mark.shared
def test_ants_and_bees_are_told_apart(tmp_path: Path) -> None:
    """The promise: 244 training pictures or fewer, ImageNet MobileNetV2, one command; 30 s on two cores."""
    shared = Path("../shared/data")
    if not shared.is_dir():
        pytest.skip(f"there is no {shared}")
    given = shared / "classification" / "hymenoptera"
    recipe = Path("training/recipes/hymenoptera.yaml")
    told = argparse.Namespace(config=recipe, data=given, files=shared, out=tmp_path, collection=None, gate=None)
    from training.classifiers.commands import train_classifier

    assert load_manifest(train_classifier(told)).metrics["new.accuracy"] >= 0.92
