"""Two models on the same frame: which boxes are the same, which are one's alone; and how it is counted."""

import pytest

from stream.rollout import Tally, certain, compare
from stream.rollout.tally import Pair
from tests.builders import DATA, manifest_of
from tests.rollout_tools import box

PAIR = Pair("gate", "new@2", "old@1")


@pytest.mark.parametrize(
    ("first", "second", "gained", "lost", "shifts"),
    [
        ([], [], {}, {}, []),
        ([box()], [box()], {}, {}, [0.0]),
        ([box()], [], {}, {"person": 1}, []),
        ([], [box()], {"person": 1}, {}, []),
        ([box()], [box(confidence=0.7)], {}, {}, [-0.2]),  # less sure
        ([box()], [box(label="car")], {"car": 1}, {"person": 1}, []),  # taken for something else
        ([box()], [box(x=3)], {}, {}, [0.0]),  # overlap 7/13
        ([box()], [box(x=4)], {"person": 1}, {"person": 1}, []),  # overlap 6/14: another one
        ([box(), box(x=2, confidence=0.8)], [box()], {}, {"person": 1}, [0.0]),  # one box is one thing's
        ([box()], [box(x=2), box(x=1, confidence=0.8)], {"person": 1}, {}, [-0.1]),  # the nearest
    ],
)
def test_differences(first, second, gained, lost, shifts):
    found = compare(first, second)
    assert (found.gained, found.lost) == (gained, lost)
    assert found.shifts == pytest.approx(shifts)
    assert sum(found.boxes.values()) == len(first)


@pytest.mark.parametrize(
    ("thresholds", "count"),
    [({"default": 0.4}, 3), ({"default": 0.4, "person": 0.8}, 2), ({}, 2)],  # else the manifest's low_threshold, 0.5
)
def test_only_certain_boxes_count(thresholds, count):
    seen = [box(confidence=0.9), box(confidence=0.45), box("car", confidence=0.5)]
    assert len(certain(seen, manifest_of(DATA / "bright_boxes.onnx", thresholds=thresholds))) == count


def test_a_tally_counts_until_it_is_drained():
    tally = Tally()
    tally.served("gate", "new@2", 0.01, [box(), box("car")])
    tally.served("gate", "new@2", 0.02, [box()])
    tally.failed("gate", "new@2")
    tally.compared(PAIR, compare([box()], [box("car")]), 0.02, 0.01)
    tally.not_compared(PAIR, failed=True)
    tally.not_compared(PAIR, failed=False)
    (served,), (compared,) = tally.drain()
    assert (served.camera, served.model, served.frames, served.errors) == ("gate", "new@2", 2, 1)
    assert (served.seconds, served.boxes) == (pytest.approx(0.03), {"person": 2, "car": 1})
    assert (compared.frames, compared.errors, compared.dropped) == (1, 1, 1)
    assert (compared.boxes, compared.gained, compared.lost) == ({"person": 1}, {"car": 1}, {"person": 1})
    assert (compared.candidate_s, compared.in_service_s) == (0.02, 0.01)
    assert tally.drain() == ((), ())
