"""Every kind of rule on random scenes with a known answer; `make bench` runs many more of them."""

import numpy as np
import pytest

from tests.rule_scenes import frames_of, run, seconds, starts, times_of
from tests.rule_worlds import WORLDS, anomalies, draw, f1, health, matched

TOLERANCE_S = 0.5
SCENES = 8


def counts(truth, events):
    found = [(seconds(event), event.label) for event in starts(events)]
    return np.array([matched(truth, found, TOLERANCE_S), len(truth), len(found)])


@pytest.mark.parametrize("kind", WORLDS)
def test_events_are_those_of_the_truth_at_any_frame_rate(kind):
    total = np.zeros(3, dtype=int)
    for seed in range(SCENES):
        rng = np.random.default_rng([seed, list(WORLDS).index(kind)])
        rules, walkers, truth, length_s = draw(kind, rng)
        fps = (5, 10, 25, 12)[seed % 4]
        times = times_of(length_s, fps, rng if seed % 4 == 3 else None)
        _, _, events = run(rules, frames_of(walkers, times, 0.5, rng))
        total += counts(truth, events)
    assert total[1] >= SCENES / 3
    assert f1(*total) >= 0.99, total


@pytest.mark.parametrize("kind", ["camera_down", "tamper"])
def test_health_events_are_those_of_the_truth(kind):
    total = sum(counts(*health(kind, np.random.default_rng(seed))) for seed in range(SCENES))
    assert total[1] >= SCENES
    assert f1(*total) == 1.0, total


def test_anomaly_alerts_are_those_of_the_truth():
    total = sum(counts(*anomalies(np.random.default_rng(seed))) for seed in range(SCENES))
    assert total[1] >= SCENES
    assert f1(*total) == 1.0, total
