"""The figures of a classifier, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.classifiers.measures import best_temperature, measure, reliability, softmax


def test_figures_by_hand() -> None:
    said = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    found = measure(said, np.array([0, 0, 1, 1]))
    assert found.accuracy == 0.75
    assert found.confusion.tolist() == [[2, 0], [1, 1]]
    first, second = found.classes
    assert (first.precision, first.recall, first.f1) == pytest.approx((2 / 3, 1, 0.8))
    assert (second.precision, second.recall, second.f1) == pytest.approx((1, 0.5, 2 / 3))
    assert found.loss == pytest.approx(-np.log([0.9, 0.6, 0.8, 0.3]).mean())
    # Four bins of one picture each: |1 - .9|, |1 - .6|, |1 - .8|, |0 - .7|, a quarter each.
    assert found.calibration_error == pytest.approx((0.1 + 0.4 + 0.2 + 0.7) / 4)


def test_a_class_that_is_never_said_has_no_precision() -> None:
    found = measure(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
    assert (found.classes[1].precision, found.classes[1].recall, found.classes[1].f1) == (0, 0, 0)


def test_the_temperature_of_logits_that_are_twice_too_sure_is_two() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    targets = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    assert best_temperature(2 * logits, targets) == pytest.approx(2, rel=0.05)
    calibrated = softmax(2 * logits, 2.0)
    assert all(abs(mean - share) < 0.03 for count, mean, share in reliability(calibrated, targets) if count > 500)


def test_all_right_says_nothing_of_the_temperature() -> None:
    assert best_temperature(np.array([[2.0, 0], [0, 2]]), np.array([0, 1])) == 1
