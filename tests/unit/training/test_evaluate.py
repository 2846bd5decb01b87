"""Average precision, thresholds and matches on cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.dataset import Sample
from training.evaluate import Found, average_precision, match, threshold_at_precision
from training.recipe import DetectorRecipe

pytestmark = pytest.mark.training

BOX = [10, 10, 30, 30]
OTHER = [60, 10, 80, 30]


def found(truth: list[list[int]], boxes: list[list[int]], scores: list[float], labels: list[int]) -> Found:
    channels = np.zeros(len(truth), np.int64)
    sample = Sample(
        "a", Path("a.png"), np.array(truth, np.float32).reshape(-1, 4), channels, np.ones(len(truth), np.float32)
    )
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Found(sample, (100, 50), xyxy, np.array(scores, np.float32), np.array(labels))


@pytest.mark.parametrize(
    ("boxes", "scores", "ap50"),
    [
        ([BOX, OTHER], [0.9, 0.8], 1.0),  # both found
        ([BOX], [0.9], 0.505),  # half found: precision 1 at recall 0..0.5, 51 of 101 points
        ([[0, 0, 5, 5], BOX, OTHER], [0.95, 0.9, 0.8], 0.667),  # one false, and the surest: 2 of 3
        ([BOX, BOX, OTHER], [0.9, 0.85, 0.8], 0.834),  # a double counts as false: 51 points at 1, 50 at 2/3
    ],
)
def test_ap50(recipe: DetectorRecipe, boxes: list[list[int]], scores: list[float], ap50: float) -> None:
    by_label, _ = average_precision([found([BOX, OTHER], boxes, scores, [0] * len(boxes))], recipe)
    assert by_label == {"square": pytest.approx(ap50, abs=0.002)}


def test_nothing_found_is_zero(recipe: DetectorRecipe) -> None:
    by_label, _ = average_precision([found([BOX], [], [], [])], recipe)
    assert by_label == {"square": 0.0}


def test_the_threshold_keeps_the_precision(recipe: DetectorRecipe) -> None:
    matches = match([found([BOX, OTHER], [BOX, OTHER, [0, 0, 5, 5]], [0.9, 0.6, 0.3], [0, 0, 0])], 0, recipe)
    assert matches.hits.tolist() == [True, True, False]
    assert threshold_at_precision(matches, 0.9, default=0.4) == pytest.approx(0.6)
    assert threshold_at_precision(matches, 0.6, default=0.4) == pytest.approx(0.3)
    nothing_right = match([found([BOX], [[0, 0, 5, 5]], [0.9], [0])], 0, recipe)
    assert threshold_at_precision(nothing_right, 0.9, default=0.4) == 0.4
