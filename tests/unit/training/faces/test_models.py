"""The face networks from training to ONNX: stopped runs, exported files that say what torch says."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from tests.training_tools import stopped_in_step
from training import fit
from training.faces import embedder
from training.faces.bundle import LEAST_COSINE, compare_embedder, compare_localiser
from training.faces.embedder import centres, centres_of_others, load_embedder, train_embedder
from training.faces.export import (
    MOST_FACES,
    ExportedEmbedder,
    ExportedLocaliser,
    export_embedder,
    export_localiser,
)
from training.faces.mobilefacenet import EmbedderNet
from training.faces.recipe import EmbedderRecipe, PeopleConfig
from training.faces.yunet import LocaliserNet
from training.predict import open_session
from training.recipe import ScheduleConfig

pytestmark = [
    pytest.mark.training,
    # tensorboard's event writer still asks for numpy names that went away in their old place
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*"),
]


@pytest.fixture(scope="module")
def localiser() -> LocaliserNet:
    """A network of random weights that sees many faces, so that the suppression has something to do."""
    torch.manual_seed(3)
    net = LocaliserNet().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.4)
    return net


@pytest.fixture(scope="module")
def localiser_file(localiser: LocaliserNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "localiser.onnx"
    export_localiser(localiser, path)
    return path


@pytest.fixture
def recipe() -> EmbedderRecipe:
    """Three steps of two faces, then two of the quality head."""
    return EmbedderRecipe(
        name="faces",
        version="1",
        start="start",
        people=PeopleConfig(pictures="faces", test=0, validate=0),
        schedule=ScheduleConfig(steps=3, batch=2, learning_rate=0.01, warmup_steps=1, checkpoint_every=1, threads=1),
        quality=ScheduleConfig(steps=2, batch=2, learning_rate=0.05, warmup_steps=1, checkpoint_every=1, threads=1),
        freeze=("stem.",),
    )


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three people with two faces each; the start is random weights instead of the public file."""
    rng = np.random.default_rng(0)
    for name in ("Ann", "Bob", "Cy"):
        (tmp_path / "data" / "faces" / name).mkdir(parents=True)
        for number in range(2):
            face = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "data" / "faces" / name / f"{number}.png"), face)
    (tmp_path / "data" / "start").touch()
    monkeypatch.setattr(embedder, "load_mobilefacenet", lambda net, path: None)
    return tmp_path / "data"


def test_a_stopped_embedder_ends_where_an_unbroken_one_does(recipe: EmbedderRecipe, data: Path, tmp_path: Path) -> None:
    _, unbroken = load_embedder(train_embedder(recipe, data, tmp_path / "unbroken"))
    with stopped_in_step(3):
        train_embedder(recipe, data, tmp_path / "broken")
    _, resumed = load_embedder(train_embedder(recipe, data, tmp_path / "broken"))
    for (name, ours), other in zip(resumed.named_parameters(), unbroken.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=0, atol=1e-5, msg=name)


def test_the_blend_may_be_chosen_when_the_embedder_has_learnt(
    recipe: EmbedderRecipe, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_embedder(recipe, data, tmp_path / "out")
    torch.manual_seed(recipe.seed)
    start = embedder.start_net(recipe, data)
    monkeypatch.setattr(fit, "_step", lambda *arguments: {})  # no step but the quality head's may be left
    (tmp_path / "out" / "quality-checkpoint.pt").unlink()
    _, net = load_embedder(train_embedder(msgspec.structs.replace(recipe, blend=0.0), data, tmp_path / "out"))
    for name, value in net.named_parameters():
        if not name.startswith(("metric.", "quality.")):
            torch.testing.assert_close(value, start.get_parameter(name), msg=name)


def test_the_frozen_stem_keeps_its_weights_and_the_rest_learns(
    recipe: EmbedderRecipe, data: Path, tmp_path: Path
) -> None:
    torch.manual_seed(recipe.seed)
    start = embedder.start_net(recipe, data).state_dict()
    _, net = load_embedder(train_embedder(recipe, data, tmp_path / "out"))
    for name, value in net.state_dict().items():
        assert torch.equal(value, start[name]) == name.startswith("stem."), name


def test_the_middle_of_the_others_leaves_the_face_itself_out() -> None:
    vectors, persons = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 0])
    others, known = centres_of_others(vectors, persons)
    assert known.tolist() == [True, True, False, True]
    np.testing.assert_allclose(others[0], np.array([0, 1, 0, 1]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(centres(vectors, persons)[1], [0, 0, 1, 0])


def test_onnx_finds_the_faces_that_torch_finds(localiser: LocaliserNet, localiser_file: Path) -> None:
    heads = np.random.default_rng(1).integers(0, 255, (4, 128, 128, 3), dtype=np.uint8)
    found = compare_localiser(ExportedLocaliser(localiser).eval(), localiser_file, list(heads))
    assert found.faces > 20
    assert found.unmatched == 0
    assert max(found.box_px, found.point_px) < 0.05
    assert found.score < 1e-4


def test_another_networks_file_is_told_apart(localiser_file: Path) -> None:
    torch.manual_seed(9)
    heads = np.random.default_rng(1).integers(0, 255, (2, 128, 128, 3), dtype=np.uint8)
    found = compare_localiser(ExportedLocaliser(LocaliserNet()).eval(), localiser_file, list(heads))
    assert found.unmatched > 0 or found.box_px > 0.5


@pytest.mark.parametrize("size", [(128, 128), (160, 256), (480, 640)])
def test_the_localiser_takes_batches_of_any_size(localiser_file: Path, size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(2).integers(0, 255, (2, *size, 3), dtype=np.uint8)
    session = open_session(localiser_file, 1)
    boxes, scores, points = session.run(["boxes", "scores", "points"], {"images": pictures})
    assert (boxes.shape, scores.shape, points.shape) == ((2, MOST_FACES, 4), (2, MOST_FACES), (2, MOST_FACES, 5, 2))
    alone = session.run(["boxes"], {"images": pictures[1:]})[0]
    np.testing.assert_allclose(alone[0], boxes[1], rtol=1e-4, atol=1e-2)


def test_onnx_embeds_as_torch_does(tmp_path: Path) -> None:
    torch.manual_seed(4)
    net = EmbedderNet().eval()
    export_embedder(net, tmp_path / "embedder.onnx")
    faces = np.random.default_rng(5).integers(0, 255, (3, 112, 112, 3), dtype=np.uint8)
    cosine, quality = compare_embedder(ExportedEmbedder(net).eval(), tmp_path / "embedder.onnx", faces)
    assert cosine > LEAST_COSINE
    assert quality < 1e-4
