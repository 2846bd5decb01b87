"""A small folder of pictures, and the smallest recipe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from training.classifiers.recipe import ClassifierRecipe, HeadConfig, NetworkConfig, TuneConfig
from training.recipe import ScheduleConfig

SIDE = 40


def shape(label: str, seed: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """A bright disc or square somewhere on noise of its own."""
    rng = np.random.default_rng(seed)
    picture = np.asarray(cv2.resize(rng.integers(0, 120, (6, 6, 3), np.uint8), (SIDE, SIDE)), np.uint8)
    x, y = (int(value) for value in rng.integers(12, 28, 2))
    if label == "disc":
        cv2.circle(picture, (x, y), 9, (230, 230, 230), -1)
    else:
        cv2.rectangle(picture, (x - 8, y - 8), (x + 8, y + 8), (90, 230, 90), -1)
    return picture


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """`train` and `val` of discs and squares, 12 and 4 of each."""
    folder = tmp_path / "shapes"
    for part, first, count in (("train", 0, 12), ("val", 100, 4)):
        for number, label in enumerate(("disc", "square")):
            (folder / part / label).mkdir(parents=True)
            for k in range(count):
                picture = shape(label, 1000 * number + first + k)
                cv2.imwrite(str(folder / part / label / f"{k:02}.png"), picture)
    return folder


@pytest.fixture
def small_recipe() -> ClassifierRecipe:
    """The smallest network of torchvision that ends in a linear layer, untrained, and four steps."""
    schedule = ScheduleConfig(steps=4, batch=2, warmup_steps=1, checkpoint_every=1, threads=1)
    return ClassifierRecipe(
        name="shapes",
        version="1",
        network=NetworkConfig(name="shufflenet_v2_x0_5", weights="none", size=32),
        head=HeadConfig(views=2, l2=(1e-2, 1e-1), most_iterations=30),
        tune=TuneConfig(schedule=schedule, validate_every=2, patience=9),
        hold_out=0.25,
        threads=1,
    )
