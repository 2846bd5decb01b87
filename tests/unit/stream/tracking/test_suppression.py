"""Boxes of one object are one box; boxes of two objects stay two."""

import numpy as np
import pytest

from stream.tracking.suppression import distinct

A = (0, 0, 10, 20)


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        ([], []),
        ([(A, 0.9, "person")], [0]),
        ([(A, 0.5, "person"), ((1, 0, 11, 20), 0.9, "person")], [1]),  # the more confident one stays
        ([(A, 0.9, "person"), (A, 0.9, "person")], [0]),  # equals: the first
        ([(A, 0.9, "person"), (A, 0.8, "bag")], [0, 1]),  # a bag on a person
        ([(A, 0.9, "person"), ((5, 0, 15, 20), 0.8, "person")], [0, 1]),  # side by side, IoU 1/3
        # a chain: the middle one goes with the first, so the last one stays
        ([(A, 0.9, "person"), ((3, 0, 13, 20), 0.8, "person"), ((6, 0, 16, 20), 0.7, "person")], [0, 2]),
    ],
)
def test_distinct(boxes: list, kept: list[int]) -> None:
    xyxy = np.array([box for box, _, _ in boxes], dtype=float).reshape(-1, 4)
    confidence = np.array([score for _, score, _ in boxes], dtype=float)
    assert distinct(xyxy, confidence, [label for _, _, label in boxes]).tolist() == kept
