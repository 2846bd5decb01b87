"""A bundle is whole or not there: what fails its checks replaces nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from contracts.errors import ModelError
from contracts.manifest import load_manifest, model_bytes
from tests.training_tools import in_service
from training import bundle
from training.bundle import bundle_detector
from training.faces import bundle as faces
from training.faces.mobilefacenet import EmbedderNet
from training.parity import Parity
from training.recipe import DetectorRecipe
from training.staged import staged

pytestmark = pytest.mark.training


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_that_fails_its_parity_replaces_nothing(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load_manifest(in_service(recipe, squares, tmp_path))
    before = contents(tmp_path / "models")
    assert sorted(before) == ["squares.json", "squares.onnx"]
    assert model_bytes(manifest, tmp_path / "models") == before["squares.onnx"]
    monkeypatch.setattr(bundle, "compare", lambda *_: Parity(4, 9, box_px=0.6, score=0.0, unmatched=0))
    with pytest.raises(ModelError, match=r"squares\.onnx: says something else than torch.*box_px=0\.6"):
        bundle_detector(tmp_path / "weights.pt", squares, tmp_path / "work", tmp_path / "models", int8=True)
    assert contents(tmp_path / "models") == before


def test_a_manifest_comes_after_what_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[str] = []
    real = Path.replace

    def noted(self: Path, target: Path) -> Path:
        placed.append(target.name)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    with staged(tmp_path / "models") as made:
        for name in ("a.json", "a.onnx", "a.int8.onnx", "a.md"):
            (made / name).write_text(name)
    assert placed == ["a.int8.onnx", "a.md", "a.onnx", "a.json"]
    assert sorted(contents(tmp_path / "models")) == sorted(placed)


def test_what_a_killed_one_left_unchecked_goes_and_what_another_checks_stays(tmp_path: Path) -> None:
    (tmp_path / ".unchecked-killed").mkdir()
    (tmp_path / ".unchecked-killed" / "a.onnx").write_text("half")
    with staged(tmp_path) as first:
        with staged(tmp_path) as second:
            assert set(tmp_path.iterdir()) == {first, second}
        assert list(tmp_path.iterdir()) == [first]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cosine", "quality"),
    [
        (0.9998, 0.0),  # another vector
        (1.0, 0.002),  # another quality
        (float("nan"), 0.0),  # no number at all
    ],
)
def test_an_embedder_that_says_something_else_is_refused(
    cosine: float, quality: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "compare_embedder", lambda *_: (cosine, quality))
    with pytest.raises(ModelError, match=r"small\.onnx: says something else"):
        faces.check_embedder(EmbedderNet(), Path("small.onnx"), torch.zeros(1, 112, 112, 3).numpy())
