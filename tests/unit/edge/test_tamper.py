"""What is wrong with a picture is reported when it lasts, and only then."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from contracts.fields import Tamper
from edge.motion import small_grey
from edge.tamper import TamperCheck, TamperConfig, TamperState, appearance
from tests.edge_tools import moving_square

STEP_MS = 500
W, H = 320, 240


def structured(index: int) -> np.ndarray:
    """A scene with structure, noise and a moving thing."""
    noise = np.random.default_rng(index).normal(0, 4, (H, W, 1))
    return np.clip(moving_square(index) + noise, 0, 255).astype(np.uint8)


def black(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 8, (H, W, 3), np.uint8)


def covered(index: int) -> np.ndarray:
    """A hand before the lens: dim, uneven, without edges."""
    ramp = np.linspace(40, 80, W)[None, :, None] + np.random.default_rng(index).normal(0, 2, (H, W, 1))
    return np.repeat(ramp, 3, 2).astype(np.uint8)


def blurred(index: int) -> np.ndarray:
    return np.clip(
        cv2.GaussianBlur(structured(index), (0, 0), 3) + np.random.default_rng(index).normal(0, 1, (H, W, 1)),
        0,
        255,
    ).astype(np.uint8)


def dusk(index: int) -> np.ndarray:
    """The same scene at a third of the light."""
    return (structured(index) * 0.35 + 4).astype(np.uint8)


def frozen(index: int) -> np.ndarray:
    return structured(3)


def reported(parts: list[tuple[object, float]]) -> list[tuple[float, tuple[Tamper, ...]]]:
    """The reports over time (s) when each picture source runs for so many seconds: only changes."""
    check, state, index = TamperCheck(TamperConfig()), TamperState(), 0
    changes: list[tuple[float, tuple[Tamper, ...]]] = [(0.0, ())]
    for make, seconds in parts:
        for _ in range(round(seconds * 1000 / STEP_MS)):
            picture = make(index)  # type: ignore[operator]
            look = appearance(small_grey(picture), picture if index % 2 == 0 else None)
            state, report = check.step(state, index * STEP_MS, look)
            if report != changes[-1][1]:
                changes.append((index * STEP_MS / 1000, report))
            index += 1
    return changes[1:]


@pytest.mark.parametrize(
    ("make", "kind", "after_s"),
    [(black, "black", 3), (covered, "covered", 3), (blurred, "blurred", 5), (frozen, "frozen", 15)],
)
def test_it_is_reported_after_its_time_and_taken_back(make: object, kind: Tamper, after_s: float) -> None:
    changes = reported([(structured, 10), (make, 20), (structured, 6)])
    assert [report for _, report in changes] == [(kind,), ()]
    begun, ended = changes[0][0] - 10, changes[1][0] - 30
    assert after_s <= begun <= after_s + 1.5
    assert 2 <= ended <= 3.5


@pytest.mark.parametrize(
    "parts",
    [
        [(structured, 30)],  # nothing is wrong
        [(structured, 10), (black, 2), (structured, 5)],  # the light is switched
        [(structured, 10), (covered, 2), (structured, 5)],  # somebody passes close by
        [(structured, 10), (blurred, 3), (structured, 5)],  # the camera focuses
        [(structured, 10), (frozen, 10), (structured, 5)],  # an encoder skips blocks until its next key frame
        [(structured, 20), (dusk, 20)],  # it gets dark
        [(blurred, 20)],  # the camera was never sharper
    ],
)
def test_what_passes_or_is_usual_is_not_reported(parts: list[tuple[object, float]]) -> None:
    assert reported(parts) == []


def test_a_slow_camera_is_judged_by_time() -> None:
    check, state = TamperCheck(TamperConfig()), TamperState()
    look = appearance(small_grey(black(0)))
    state, first = check.step(state, 0, look)
    state, second = check.step(state, 5000, appearance(small_grey(black(1))))
    assert (first, second) == ((), ("black",))
