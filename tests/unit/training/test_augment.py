"""Boxes go where their pixels go, whatever is done to the picture."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from training.augment import Labelled, augment
from training.recipe import AugmentConfig

pytestmark = pytest.mark.training


def square(x: int = 30, y: int = 20, side: int = 24, width: int = 96, height: int = 64) -> Labelled:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y : y + side, x : x + side] = 255
    box = np.array([[x, y, x + side, y + side]], np.float32)
    return Labelled(picture, box, np.array([0]), np.ones(1, np.float32))


def seen(picture: np.ndarray) -> list[float]:
    """The corners of what is bright."""
    rows, columns = np.nonzero(picture[..., 0] > 185)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize(
    "changes",
    [
        {},  # only letterboxed
        {"flip": 1.0},
        {"scale": (0.5, 0.6)},  # small, at a random place
        {"scale": (1.3, 1.6)},  # a window of a larger picture
        {"blur": 1.0, "jpeg": 1.0, "noise": 1.0},
        {"low_resolution": 1.0},
    ],
)
def test_a_box_follows_its_pixels(plain: AugmentConfig, changes: dict[str, object]) -> None:
    config = msgspec.structs.replace(plain, **changes)
    for seed in range(8):
        made = augment([square()], 96, 96, config, np.random.default_rng(seed))
        assert made.picture.shape == (96, 96, 3)
        np.testing.assert_allclose(made.xyxy[0], seen(made.picture), atol=2.6)


def test_a_crop_keeps_a_box_in_sight(plain: AugmentConfig) -> None:
    for seed in range(20):
        made = augment([square(x=70, y=38)], 192, 96, plain, np.random.default_rng(seed))
        assert made.weights.tolist() == [1.0]


def test_another_coat_stays_inside_its_box(plain: AugmentConfig) -> None:
    part = square()
    part.picture[part.picture == 255] = 120
    config = msgspec.structs.replace(plain, recolour=1.0)
    changes = []
    for seed in range(8):
        before, after = (augment([part], 96, 96, c, np.random.default_rng(seed)) for c in (plain, config))
        difference = np.abs(after.picture.astype(int) - before.picture)
        x1, y1, x2, y2 = after.xyxy[0].astype(int)
        changes.append(difference[y1:y2, x1:x2].max())
        difference[y1:y2, x1:x2] = 0
        assert not difference.any()
    assert max(changes) > 20


def test_a_mosaic_holds_the_boxes_of_four(plain: AugmentConfig) -> None:
    config = msgspec.structs.replace(plain, mosaic=1.0)
    made = augment([square(), square(), square(), square()], 96, 96, config, np.random.default_rng(3))
    assert len(made.xyxy) >= 3
    assert (made.picture.reshape(-1, 3) != 114).any(1).all()  # no grey: every window is covered


def test_what_is_mostly_cut_off_is_ignored(plain: AugmentConfig) -> None:
    part = square()
    config = msgspec.structs.replace(plain, scale=(4, 4))
    weights = [
        augment([part, part, part, part], 64, 64, config, np.random.default_rng(seed)).weights for seed in range(20)
    ]
    assert 0.0 in np.concatenate(weights)


def test_the_same_seed_gives_the_same_picture() -> None:
    config = AugmentConfig(mosaic=0, night=1.0, noise=1.0, blur=1.0)
    first, second = (augment([square()], 96, 96, config, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)
