"""What a head wears, by boxes: its own, its neighbour's, or nothing that can be known."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision.faces import Face
from training.classifiers.crops import value_of

HEAD = np.array([100, 100, 200, 200], np.float32)
FACE = Face((135.0, 120.0, 165.0, 160.0), 0.9, np.zeros((5, 2)))
HIDDEN = None


@pytest.mark.parametrize(
    ("face", "worn", "value"),
    [
        (FACE, [(130, 95, 170, 130)], "yes"),
        (FACE, [], "no"),
        (FACE, [(190, 95, 230, 130)], "no"),
        (FACE, [(115, 150, 135, 160)], None),
        (HIDDEN, [(130, 105, 170, 140)], "yes"),
        (HIDDEN, [], None),
        (HIDDEN, [(180, 150, 220, 190)], None),
    ],
    ids=["on the face", "bare", "a neighbour's", "in a hand", "on a hidden face", "no head", "a neighbour's, no head"],
)
def test_what_is_worn(face: Face | None, worn: list[tuple[float, ...]], value: str | None) -> None:
    assert value_of(face, HEAD, np.array(worn, np.float32).reshape(-1, 4)) == value
