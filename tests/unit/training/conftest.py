"""Small recipes and data sets on disk for the tests of training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.recipe import AugmentConfig, DetectorRecipe, ScheduleConfig, SetConfig

PLAIN = AugmentConfig(
    mosaic=0,
    flip=0,
    scale=(1, 1),
    colour=0,
    blur=0,
    noise=0,
    night=0,
    jpeg=0,
    grey=0,
    occlusion=0,
    recolour=0,
    low_resolution=0,
)


@pytest.fixture
def plain() -> AugmentConfig:
    """An augmentation that changes nothing."""
    return PLAIN


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A YOLO data set: four pictures of 96x64 with one white square of 24 pixels each."""
    pictures, labels = tmp_path / "data" / "pictures", tmp_path / "data" / "labels"
    pictures.mkdir(parents=True)
    labels.mkdir()
    rng = np.random.default_rng(1)
    for index in range(4):
        picture = rng.integers(30, 50, (64, 96, 3), dtype=np.uint8)  # noise: no two cells say quite the same
        x, y = 8 + 16 * index, 10 + 6 * index
        picture[y : y + 24, x : x + 24] = 230
        cv2.imwrite(str(pictures / f"{index}.png"), picture)
        (labels / f"{index}.txt").write_text(f"0 {(x + 12) / 96} {(y + 12) / 64} {24 / 96} {24 / 64}\n")
    return tmp_path / "data"


@pytest.fixture
def recipe() -> DetectorRecipe:
    """A tiny detector on `squares`: four steps of two pictures."""
    return DetectorRecipe(
        name="squares",
        version="1",
        size=96,
        crop=96,
        width=4,
        labels={"square": ("square",), "other": ("circle", "star")},
        sets=(
            SetConfig(
                name="squares", role="train", format="yolo", pictures="pictures", labels="labels", names=("square",)
            ),
        ),
        schedule=ScheduleConfig(steps=4, batch=2, warmup_steps=1, checkpoint_every=2, threads=1),
    )
