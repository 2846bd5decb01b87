"""The gate's measure: nothing for noise, something for a small thing, by time and not by pictures."""

import numpy as np
import pytest

from edge.motion import ABSORB_S, MotionGate, small_grey
from tests.edge_tools import moving_square

THRESHOLD, AREA = 16.0, 0.0005


def scene(
    noise: np.random.Generator, left: int | None, width: int = 320, height: int = 240, side: int = 8
) -> np.ndarray:
    """A grey scene with sensor noise and, at column `left`, a brighter square."""
    picture = np.full((height, width, 3), 90, np.int16) + noise.normal(0, 3, (height, width, 1)).astype(np.int16)
    if left is not None:
        picture[100 : 100 + side, left : left + side] += 60
    return np.clip(picture, 0, 255).astype(np.uint8)


def measured(lefts: list[int | None], step_ms: int = 100) -> list[float]:
    gate, noise = MotionGate(THRESHOLD), np.random.default_rng(1)
    return [gate.measure(small_grey(scene(noise, left)), step_ms * i, THRESHOLD) for i, left in enumerate(lefts)]


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((480, 640, 3), (120, 160)),  # VGA
        ((576, 768, 3), (120, 160)),  # PAL
        ((1080, 1920, 3), (90, 160)),  # full HD
        ((100, 160, 3), (100, 160)),  # small enough
        ((64, 48, 3), (64, 48)),  # tiny
        ((1, 1000, 3), (1, 160)),  # flat
    ],
)
def test_the_small_copy_is_at_most_160_wide(shape: tuple[int, ...], small: tuple[int, int]) -> None:
    assert small_grey(np.zeros(shape, np.uint8)).shape == small


def test_noise_is_no_motion() -> None:
    assert max(measured([None] * 60)) < AREA


def test_a_small_thing_that_moves_is() -> None:
    shares = measured([None] * 30 + [4 * i for i in range(30)])
    assert min(shares[31:]) >= AREA
    assert max(shares[31:]) < 0.02


@pytest.mark.parametrize("step_ms", [40, 100, 200])
def test_what_stands_still_becomes_background_by_time(step_ms: int) -> None:
    standing = measured([None] * 30 + [150] * round(1.6 * ABSORB_S * 1000 / step_ms), step_ms)[30:]
    gone_s = next(i for i, share in enumerate(standing) if i > 3 and share < AREA) * step_ms / 1000
    assert 0.7 * ABSORB_S < gone_s < 1.4 * ABSORB_S


def test_the_first_picture_and_a_new_size_are_no_motion() -> None:
    gate = MotionGate(THRESHOLD)
    assert gate.measure(small_grey(moving_square(0)), 0, THRESHOLD) == 0
    assert gate.measure(small_grey(moving_square(5, 640, 360)), 100, THRESHOLD) == 0
    assert gate.measure(small_grey(moving_square(30, 640, 360)), 200, THRESHOLD) > AREA


def test_the_threshold_can_be_changed_while_it_runs() -> None:
    lefts = [None] * 30 + [4 * i for i in range(5)]
    gate, noise = MotionGate(THRESHOLD), np.random.default_rng(1)
    shares = [gate.measure(small_grey(scene(noise, left)), 100 * i, 1e6) for i, left in enumerate(lefts)]
    assert max(shares) == 0
