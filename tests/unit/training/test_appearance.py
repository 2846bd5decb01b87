"""The appearance head: what it learns from, what it learns, and that the exported file says what torch says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from contracts.errors import ModelError
from training.appearance import (
    GRIDS,
    NUMBERS,
    AppearanceNet,
    AppearanceRecipe,
    backbone_key,
    contrast,
    features_of,
    load_appearance,
    targets,
    tells_apart,
    train,
)
from training.export import LEAST_LOOK_SCORE, Exported, export_detector
from training.looks import Batches, sheets
from training.network import DetectorNet, load_exported
from training.parity import compare
from training.predict import open_session
from training.tracklets import PATCH_HEIGHT, PATCH_WIDTH, Looks

pytestmark = pytest.mark.training

COLOURS = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)])


def looks_of(count: int = 40) -> Looks:
    """Four people in one clip, each of one colour; the teachers know the first three."""
    rng = np.random.default_rng(0)
    tracks = np.arange(count) % 4
    patches = COLOURS[tracks][:, None, None, :] + rng.integers(-30, 30, (count, PATCH_HEIGHT, PATCH_WIDTH, 3))
    taught = np.eye(4, 70)[tracks] + rng.normal(0, 0.05, (count, 70))
    taught[tracks == 3] = 0
    return Looks(
        patches=patches.clip(0, 255).astype(np.uint8),
        clips=np.zeros(count, np.int64),
        tracks=tracks,
        frames=np.arange(count) // 4,
        height_px=np.full(count, 60, np.float32),
        aspect=np.full(count, 0.5, np.float32),
        taught=taught.astype(np.float32),
        clear=np.ones(count, np.bool_),
    )


@pytest.fixture(scope="module")
def net() -> DetectorNet:
    """A small network that finds much."""
    torch.manual_seed(4)
    net = DetectorNet(3, width=4).eval().requires_grad_(False)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            parameter.mul_(1.9)
    return net


@pytest.fixture(scope="module")
def recipe() -> AppearanceRecipe:
    return AppearanceRecipe(name="small", clips=(), teachers=(), variations=3, steps=60)


@pytest.fixture(scope="module")
def trained(net: DetectorNet, recipe: AppearanceRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(recipe, looks_of(), net, 128, tmp_path_factory.mktemp("head"))


@pytest.fixture(scope="module")
def exported(net: DetectorNet, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    export_detector(net, ((0,), (1, 2)), 128, path, load_appearance(trained, net))
    return path


def test_every_look_lies_on_a_sheet_with_its_box_in_it() -> None:
    for variation in (0, 1, 2):
        made = list(sheets(looks_of(), 128, seed=1, variation=variation))
        assert sum(len(sheet.boxes) for sheet in made) == 40
        for sheet in made:
            assert (sheet.boxes[:, 2:] > sheet.boxes[:, :2]).all()
            assert sheet.boxes.min() > -10
            assert sheet.boxes.max() < 138


def test_the_plain_variation_shows_the_look_itself() -> None:
    sheet = next(sheets(looks_of(), 128, seed=1, variation=0))
    x1, y1, x2, y2 = sheet.boxes[1].astype(int)
    assert np.abs(sheet.picture[y1:y2, x1:x2].mean((0, 1)) - COLOURS[1]).max() < 10


def test_pairs_that_may_be_one_person_are_neither_same_nor_other() -> None:
    looks = looks_of(8)
    later = dataclasses.replace(looks, frames=np.where(looks.tracks == 1, 50, looks.frames))
    same, other = Batches(later, 1).known(np.arange(8))
    assert same[0].tolist() == [True, False, False, False] * 2
    assert other[0].tolist() == [False, False, True, True] * 2  # track 1 came when track 0 had gone


def test_where_nobody_is_seen_three_times_a_look_is_held_against_itself() -> None:
    batch = Batches(looks_of(8), 1)[0]
    assert np.bincount(batch.looks).tolist() == [2] * 8
    assert batch.same.any()


def test_targets_are_unit_vectors_and_zero_teaching_is_unknown() -> None:
    wanted, known = targets(looks_of())
    assert known.tolist() == [k % 4 != 3 for k in range(40)]
    np.testing.assert_allclose(np.linalg.norm(wanted[known], axis=1), 1, atol=1e-5)
    assert wanted[0] @ wanted[4] > 0.9 > wanted[0] @ wanted[1]


def test_contrast_is_less_where_strangers_are_further_apart() -> None:
    same = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2)).bool()
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert contrast(apart, same, ~same) < contrast(torch.ones(4, 2), same, ~same)


def test_training_tells_people_apart_and_goes_on_from_its_checkpoint(
    net: DetectorNet, recipe: AppearanceRecipe, trained: Path
) -> None:
    head, looks = load_appearance(trained, net), looks_of()
    trained.unlink()
    again = load_appearance(train(recipe, looks, net, 128, trained.parent), net)
    assert torch.equal(again.vector.weight, head.vector.weight)
    with torch.no_grad():
        vectors = head.vectors(features_of(looks, net, 128, 1, 0).float()).numpy()
    assert vectors.shape == (40, NUMBERS)
    assert tells_apart(vectors, looks, Batches(looks, 1), 1) > 0.95


def test_the_exported_file_says_what_torch_says(net: DetectorNet, trained: Path, exported: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (3, 128, 128, 3), dtype=np.uint8)
    session, head = open_session(exported, 1), load_appearance(trained, net)
    found = compare(Exported(net, ((0,), (1, 2))).eval(), session, list(pictures), head)
    assert found.unmatched == 0
    assert found.cosine > 0.9999
    scores, embeddings = session.run(["scores", "embeddings"], {"images": pictures})
    looked = np.linalg.norm(embeddings, axis=2)
    np.testing.assert_allclose(looked[scores >= LEAST_LOOK_SCORE], 1, atol=1e-4)
    assert not looked[scores < LEAST_LOOK_SCORE].any()
    assert (scores >= LEAST_LOOK_SCORE).any()


def test_a_detector_and_its_head_come_back_from_the_exported_file(
    net: DetectorNet, trained: Path, exported: Path
) -> None:
    again = load_exported(exported)
    assert backbone_key(again) == backbone_key(net)
    assert torch.equal(load_appearance(exported, again).vector.weight, load_appearance(trained, net).vector.weight)


def test_a_head_of_another_backbone_is_refused(net: DetectorNet, trained: Path) -> None:
    with pytest.raises(ModelError, match="learnt on another backbone"):
        load_appearance(trained, DetectorNet(3, width=4))


def test_a_file_without_a_head_or_of_another_network_is_refused(net: DetectorNet, tmp_path: Path) -> None:
    plain = tmp_path / "plain.onnx"
    export_detector(net, ((0,), (1, 2)), 128, plain)
    with pytest.raises(ModelError, match="holds no appearance head"):
        load_appearance(plain, net)
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "empty.onnx"))
    with pytest.raises(ModelError, match="not a detector of this project"):
        load_exported(tmp_path / "empty.onnx")


def test_the_grids_are_the_stages_that_the_network_gives(net: DetectorNet) -> None:
    stages = net.look(torch.zeros(1, 3, 128, 128)).stages
    assert [128 // stage.shape[2] for stage in stages] == [stride for stride, _, _ in GRIDS]
    assert AppearanceNet([stage.shape[1] for stage in stages]).vector.out_features == NUMBERS
