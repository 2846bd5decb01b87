"""Small recipes and data sets on disk for the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training_tools import squares_in, tiny_recipe
from training.recipe import AugmentConfig, DetectorRecipe

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
    """See tests.training_tools.squares_in."""
    return squares_in(tmp_path / "data")


@pytest.fixture
def recipe() -> DetectorRecipe:
    """See tests.training_tools.tiny_recipe."""
    return tiny_recipe()
