"""What models see in a kept picture, alone and together, with a real model whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive.collection.seeing import Models, decoded, fused
from tests.builders import jpeg_of
from tests.collection_tools import box
from tests.registry_tools import made

RED = (0, 0, 255)


def test_models_see_in_the_pixels_of_the_picture(tmp_path: Path) -> None:
    one = made(tmp_path, "1", label_map={"red": "red"})
    other = made(tmp_path, "2", label_map={"red": "red", "blue": "blue"})
    picture = np.zeros((180, 320, 3), np.uint8)
    picture[:80, 80:160] = RED  # a cell of the model's
    sight = Models([one])(picture)
    (seen,) = sight.boxes
    assert seen.xyxy == pytest.approx((80, 0, 160, 80), abs=2)
    assert (seen.label, seen.kind, seen.by, sight.agreement) == ("red", "pseudo", "detector@1", 1.0)
    picture[:80, 240:320] = (255, 0, 0)
    both = Models([one, other])(picture)
    assert {seen.label: seen.by for seen in both.boxes} == dict.fromkeys(("red", "blue"), "detector@1+detector@2")
    assert both.agreement == 0.5


@pytest.mark.parametrize(
    ("found", "scores", "agreement"),
    [
        ([[box(10)], [box(10)]], [0.8], 1.0),
        ([[box(10)], []], [0.4], 0.5),
        ([[box(10)], [box(90)]], [0.4, 0.4], 0.5),
        ([[], []], [], 1.0),
        ([[box(10, confidence=0.15)], []], [0.075], 1.0),
    ],
    ids=["of one mind", "one sees nothing", "each sees another", "nothing", "too faint to count"],
)
def test_what_models_see_together(found: list, scores: list[float], agreement: float) -> None:
    sight = fused(found, ("a", "b"))
    assert [seen.confidence for seen in sight.boxes] == pytest.approx(scores)
    assert sight.agreement == agreement


def test_what_is_no_picture_is_none() -> None:
    picture = decoded(jpeg_of(np.zeros((9, 9, 3), np.uint8)))
    assert picture is not None
    assert (picture.shape, decoded(b""), decoded(b"no")) == ((9, 9, 3), None, None)
