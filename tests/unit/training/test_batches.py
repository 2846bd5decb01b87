"""The stream of training pictures: the same at every start, and large pictures shrink with their boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from training import batches
from training.batches import TrainingPictures
from training.dataset import DataSet, Sample, read_set
from training.recipe import AugmentConfig, DetectorRecipe

pytestmark = pytest.mark.training


def test_picture_k_is_the_same_at_every_start(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = read_set(recipe.sets[0], squares, tmp_path, recipe.channels)
    first = TrainingPictures((data,), recipe, 8)
    monkeypatch.setattr(batches, "MOST_DECODED_BYTES", 0)  # nothing kept: every picture is decoded again
    second = TrainingPictures((data,), recipe, 8)
    seen = [first[index] for index in range(8)]
    for index in reversed(range(8)):
        picture, targets = second[index]
        torch.testing.assert_close(picture, seen[index][0], rtol=0, atol=0)
        torch.testing.assert_close(targets.xyxy, seen[index][1].xyxy, rtol=0, atol=0)


def test_windows_come_again_in_their_order(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> None:
    data = read_set(recipe.sets[0], squares, tmp_path, recipe.channels)
    fresh, again = (TrainingPictures((data,), msgspec.structs.replace(recipe, windows=n), 8) for n in (0, 4))
    for index in range(8):
        picture, targets = again[index]
        assert targets.window == index % 4
        torch.testing.assert_close(picture, fresh[index % 4][0], rtol=0, atol=0)


def test_a_large_picture_shrinks_with_its_boxes(recipe: DetectorRecipe, plain: AugmentConfig, tmp_path: Path) -> None:
    picture = np.zeros((640, 960, 3), np.uint8)
    picture[200:400, 300:500] = 255
    cv2.imwrite(str(tmp_path / "large.png"), picture)
    box = np.array([[300, 200, 500, 400]], np.float32)
    sample = Sample("large", tmp_path / "large.png", box, np.zeros(1, np.int64), np.ones(1, np.float32))
    pictures = TrainingPictures(
        (DataSet(recipe.sets[0], (sample,), ()),), msgspec.structs.replace(recipe, augment=plain), 2
    )
    for index in (0, 1):  # decoded, then remembered
        made, targets = pictures[index]
        rows, columns = np.nonzero(made[0].numpy() > 128)
        np.testing.assert_allclose(
            targets.xyxy[0], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=1
        )
