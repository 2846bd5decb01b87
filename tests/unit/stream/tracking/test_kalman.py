"""The filter against what its equations promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.tracking import kalman
from stream.tracking.kalman import Motion, MotionModel

MODEL = MotionModel()
PARTS = ("value", "rate", "variance", "covariance", "rate_variance")


def moving(rate=40.0):
    """One box of 30x80 px that moves to the right."""
    first = kalman.start(np.array([[100.0, 200, 30, 80]]), np.array([0.9]), MODEL)
    return Motion(first.value, np.array([[rate, 0, 0, 0]]), first.variance, first.covariance, first.rate_variance)


def ahead(motion, *steps_s):
    for dt_s in steps_s:
        motion = kalman.predict(motion, np.array([dt_s]), MODEL)
    return motion


@given(st.lists(st.floats(0.001, 2.0), min_size=2, max_size=6))
def test_many_small_steps_are_one_large_one(steps_s):
    once, stepwise = ahead(moving(), sum(steps_s)), ahead(moving(), *steps_s)
    for part in PARTS:
        np.testing.assert_allclose(getattr(stepwise, part), getattr(once, part), rtol=1e-6, atol=1e-6)


def test_no_time_changes_nothing():
    for part in PARTS:
        np.testing.assert_allclose(getattr(ahead(moving(), 0.0), part), getattr(moving(), part), atol=1e-9)


def test_a_prediction_comes_to_a_halt_where_its_velocity_carries_it():
    rest = ahead(moving(rate=40.0), 200.0)
    assert rest.value[0, 0] == pytest.approx(100 + 40 * MODEL.time_constant_s[0], rel=1e-3)
    assert abs(rest.rate[0, 0]) < 0.01


@given(st.floats(0.01, 30.0))
def test_the_spread_of_the_velocity_never_exceeds_the_models(dt_s):
    limit = (MODEL.rate_std[0] * 80) ** 2
    assert ahead(moving(), dt_s).rate_variance[0, 0] <= limit * (1 + 1e-9)


@given(st.lists(st.floats(0.03, 1.5), min_size=1, max_size=30))
def test_the_covariance_stays_one(intervals_s):
    motion = moving()
    for k, dt_s in enumerate(intervals_s):
        measured = np.array([[100.0 + k, 200, 30, 80]])
        motion = ahead(motion, dt_s)
        motion = kalman.update(motion, measured, kalman.measurement_variance(measured, np.array([0.6]), MODEL))
        assert (motion.variance > 0).all()
        assert (motion.variance * motion.rate_variance - motion.covariance**2 > 0).all()


def test_the_filter_finds_a_velocity_and_knows_how_well():
    rng, motion = np.random.default_rng(3), moving(rate=0.0)
    for k in range(1, 40):
        measured = np.array([[100.0 + 4 * k, 200, 30, 80]]) + rng.normal(0, 1.0, 4)
        motion = ahead(motion, 0.1)
        motion = kalman.update(motion, measured, kalman.measurement_variance(measured, np.array([0.9]), MODEL))
    assert motion.rate[0, 0] == pytest.approx(40, abs=3 * motion.rate_variance[0, 0] ** 0.5)
    assert motion.rate[0, 0] > 20


def test_a_doubtful_detection_moves_the_estimate_less():
    measured = np.array([[110.0, 200, 30, 80]])
    sure, doubtful = (
        kalman.update(
            moving(), measured, kalman.measurement_variance(measured, np.array([confidence]), MotionModel(doubt=1))
        )
        for confidence in (1.0, 0.2)
    )
    assert 100 < doubtful.value[0, 0] < sure.value[0, 0] < 110


def test_distance_is_in_standard_deviations_of_the_prediction_error():
    motion = moving()
    variance = np.full((2, 4), 4.0)
    table = kalman.distance(motion, np.array([[100.0, 200, 30, 80], [103, 204, 30, 80]]), variance)
    total = motion.variance[0, 0] + 4.0
    np.testing.assert_allclose(table, [[0.0, 25 / total]])


def test_no_tracks_are_no_trouble():
    empty = kalman.start(np.empty((0, 4)), np.empty(0), MODEL)
    assert len(kalman.predict(empty, np.empty(0), MODEL)) == 0
    assert kalman.distance(empty, np.zeros((3, 4)), np.ones((3, 4))).shape == (0, 3)
