"""Weighted box fusion on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision.fusion import weighted_box_fusion

A = np.array([[0, 0, 10, 10]], np.float32)
B = np.array([[2, 0, 12, 10]], np.float32)
FAR = np.array([[50, 50, 60, 60]], np.float32)
ZERO = np.array([0])


def test_agreeing_boxes_become_their_mean_weighted_by_score() -> None:
    boxes, scores, labels = weighted_box_fusion(
        [A, B], [np.array([0.9]), np.array([0.3])], [ZERO, ZERO], [1, 1], iou_threshold=0.5
    )
    np.testing.assert_allclose(boxes, [[0.5, 0, 10.5, 10]], atol=1e-5)  # 0.9 of A and 0.3 of B
    np.testing.assert_allclose(scores, [0.6], atol=1e-6)
    assert labels.tolist() == [0]


@pytest.mark.parametrize(
    ("others", "label", "judges", "score"),
    [
        (FAR[:0], 0, None, 0.4),  # the second sees nothing: half the certainty
        (FAR[:0], 0, {0: 1.0}, 0.8),  # the second does not know the label: it has no say
        (FAR, 0, None, 0.4),  # seen elsewhere: two boxes of half the certainty
        (A, 1, None, 0.4),  # the same place under another label is no support
    ],
)
def test_silence_lowers_the_score(
    others: np.ndarray, label: int, judges: dict[int, float] | None, score: float
) -> None:
    _, scores, _ = weighted_box_fusion(
        [A, others],
        [np.array([0.8]), np.full(len(others), 0.8)],
        [ZERO, np.full(len(others), label)],
        [1, 1],
        judges=judges,
    )
    assert scores == pytest.approx([score] * len(scores))


def test_padding_is_no_box() -> None:
    padded, labels = np.concatenate((A, np.zeros((2, 4), np.float32))), np.zeros(3, np.int64)
    boxes, scores, _ = weighted_box_fusion([padded, padded], [np.array([0.8, 0, 0])] * 2, [labels] * 2, [1, 0.5])
    np.testing.assert_allclose(boxes, A)
    assert scores == pytest.approx([0.8])


def test_nothing_found_gives_empty_arrays() -> None:
    boxes, scores, labels = weighted_box_fusion([A[:0]], [np.zeros(0)], [ZERO[:0]], [1])
    assert boxes.shape == (0, 4)
    assert len(scores) == len(labels) == 0
