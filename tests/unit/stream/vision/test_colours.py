"""Colours by name: painted boxes, what is too small or too motley, and the cost of a look."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision import colours
from tests.builders import solid

GREY = (128, 128, 128)
BOX = (20.0, 10.0, 60.0, 110.0)


def dressed(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> np.ndarray:
    """A picture of 80x120 with somebody in BOX in two colours (BGR)."""
    picture = solid(80, 120, GREY)
    picture[10:60, 20:60] = upper
    picture[60:110, 20:60] = lower
    return picture


@pytest.mark.parametrize(
    ("bgr", "name"),
    [
        ((20, 20, 20), "black"),
        ((40, 38, 45), "black"),  # in weak light
        ((240, 240, 240), "white"),
        ((215, 210, 205), "white"),
        ((120, 120, 120), "grey"),
        ((125, 115, 110), "grey"),  # not quite neutral, as cameras are
        ((30, 30, 200), "red"),
        ((20, 20, 120), "red"),
        ((20, 120, 235), "orange"),
        ((40, 220, 230), "yellow"),
        ((60, 140, 50), "green"),
        ((200, 90, 30), "blue"),
        ((110, 60, 40), "blue"),  # jeans
        ((150, 40, 120), "purple"),
        ((190, 150, 245), "pink"),
        ((40, 70, 115), "brown"),
    ],
)
def test_a_colour_has_its_name(bgr: tuple[int, int, int], name: str) -> None:
    (look,) = colours.looks(dressed(bgr, bgr), BOX, "car")
    assert look.values == {name: 1.0}


def test_a_person_has_two_halves() -> None:
    found = colours.looks(dressed((30, 30, 200), (200, 90, 30)), BOX, "person")
    assert [(look.kind, *look.values) for look in found] == [("colour_upper", "red"), ("colour_lower", "blue")]


@pytest.mark.parametrize(
    ("picture", "box"),
    [
        (dressed((0, 0, 200), (0, 0, 200)), (20.0, 10.0, 30.0, 40.0)),  # too small
        (dressed((0, 0, 200), (0, 0, 200)), (-50.0, -90.0, 4.0, 9.0)),  # mostly outside
        (np.random.default_rng(1).integers(0, 255, (120, 80, 3), np.uint8), BOX),  # of all colours
    ],
)
def test_where_nothing_can_be_said_nothing_is(picture: np.ndarray, box: tuple[float, float, float, float]) -> None:
    assert colours.looks(picture, box, "person") == ()
