"""The gate on made-up predictions: a better model goes through, and damage is refused by name, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from tests.gate_tools import CAMERAS, LABELS, scene, seen
from training.gate.judge import FrozenSet, Limits, Report, bounded, judge
from training.gate.measure import (
    Boxes,
    Picture,
    average_precision,
    calibration_error,
    f1,
    match,
    resampled,
)
from training.gate.report import markdown
from training.gate.worst import worst

PICTURES = scene(per_camera=60)
SETS = (FrozenSet(name="site", sha256="0" * 64, pictures=len(PICTURES)),)
LIMITS = Limits(resamples=200)


def verdict(**changes: object) -> Report:
    """Of a candidate that finds nine in ten boxes where the model in service finds seven."""
    before = seen(PICTURES, "detector@1", recall=0.7, seed=1)
    return judge(PICTURES, before, seen(PICTURES, "detector@2", **{"recall": 0.9, "seed": 2, **changes}), SETS, LIMITS)


def test_a_better_candidate_goes_through() -> None:
    report = verdict()
    assert report.passed, report.why
    assert report.overall is not None
    assert report.overall.low > 0.1
    assert {(one.camera, one.label) for one in report.places} == {
        (camera, label) for camera in ("", *CAMERAS) for label in LABELS
    }


def test_one_class_destroyed_for_one_camera_is_refused_by_name() -> None:
    report = verdict(blind=("hall", "car"))
    assert report.overall is not None
    assert report.overall.low > 0, "over all it is still better"
    named = [(one.of, one.camera, one.label) for one in report.refusals]
    assert named == [("place", "", "car"), ("place", "hall", "car")], "and neither gate nor yard"
    assert "car at hall: AP50 0." in report.why
    assert "**car at hall" in markdown(report)


def test_a_poisoned_candidate_is_refused_by_name() -> None:
    # 30 % of the answers were wrong: as many boxes are no longer seen, and as much background is.
    report = verdict(recall=0.8, poisoned=0.3)
    assert not report.passed
    named = {(one.camera, one.label) for one in report.refusals if one.of == "place"}
    assert named >= {(camera, "person") for camera in CAMERAS}, report.why


@pytest.mark.parametrize(
    ("changes", "of"),
    [
        ({"recall": 0.7, "seed": 1}, "overall"),  # the same model
        ({"certainty": 0.55}, "calibration"),
        ({"thresholds": {"default": 0.995}}, "thresholds"),
        ({"ms": 17.0}, "speed"),
    ],
    ids=["not better", "scores mean less", "a threshold that hides all", "slow"],
)
def test_what_else_refuses(changes: dict[str, object], of: str) -> None:
    assert [one.of for one in verdict(**changes).refusals] == [of]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size_bytes": 500}, "0.50 times the size"),
        ({"ms": 7.0}, "0.70 times the time a picture, surely at most 0.70"),
        ({"ms": 7.0, "size_bytes": 500}, "0.50 times the size and 0.70 times the time"),
    ],
    ids=["smaller", "faster", "both"],
)
def test_who_is_smaller_or_faster_and_as_good_goes_through(changes: dict[str, object], said: str) -> None:
    report = verdict(recall=0.7, seed=1, **changes)
    assert report.passed, report.why
    assert said in report.smaller
    assert said in markdown(report)


@pytest.mark.parametrize(
    ("changes", "of"),
    [
        ({"recall": 0.7, "seed": 1, "size_bytes": 900, "ms": 9.0}, {"overall"}),
        ({"recall": 0.6, "size_bytes": 500}, {"overall", "place", "thresholds"}),
        ({"recall": 0.7, "seed": 2, "size_bytes": 500}, {"overall"}),
        ({"blind": ("hall", "car"), "size_bytes": 500}, {"place"}),
        ({"recall": 0.7, "seed": 1, "size_bytes": 500, "ms": 17.0}, {"speed"}),
    ],
    ids=["hardly smaller", "smaller and worse", "as good, but not surely", "a class lost for it", "smaller but slow"],
)
def test_who_is_smaller_is_judged_all_the_same(changes: dict[str, object], of: set[str]) -> None:
    report = verdict(**changes)
    assert {one.of for one in report.refusals} == of, report.why


@pytest.mark.parametrize(
    ("recall", "refused"),
    [(0.7, set()), (0.8, {("overall", "")})],
    ids=["as good as all of them", "they saw more"],
)
def test_who_is_only_smaller_is_held_against_what_it_comes_from(recall: float, refused: set[tuple[str, str]]) -> None:
    after = seen(PICTURES, "detector@2-small", recall=0.7, seed=1, size_bytes=500)
    larger = [replace(after, model="detector@2"), seen(PICTURES, "detector@1", recall=recall, seed=1)]
    bounds, reasons = bounded(PICTURES, larger, after, "0.50 times the size", LIMITS)
    assert [one.model for one in bounds] == ["detector@2", "detector@1"]
    assert bounds[0].overall.before == bounds[0].overall.after
    assert {(one.of, one.camera) for one in reasons if one.of == "overall"} == refused
    assert all(one.text.endswith(", against detector@1") for one in reasons)
    report = msgspec.structs.replace(verdict(recall=0.7, seed=1, size_bytes=500), bounds=bounds)
    assert "AP50 against detector@1, which is larger" in markdown(report)
    assert f"against detector@1 {bounds[1].overall.before:.3f} -> " in report.why


def test_only_times_that_are_surely_shorter_count() -> None:
    before = seen(PICTURES, "detector@1", recall=0.7, seed=1)
    times_ms = np.where(np.arange(len(PICTURES)) % 2, 5.0, 10.9)  # the median is 0.795 of before's
    after = replace(before, model="detector@2", times_ms=times_ms)
    assert not judge(PICTURES, before, after, SETS, LIMITS).smaller


def test_a_loss_that_may_be_chance_is_a_doubt() -> None:
    pictures = scene(per_camera=4)
    before = seen(pictures, "detector@1", recall=0.8, seed=3)
    refused = doubted = 0
    for seed in range(10, 30):
        report = judge(pictures, before, seen(pictures, "detector@2", recall=0.8, seed=seed), SETS, LIMITS)
        refused += sum(one.of == "place" for one in report.refusals)
        doubted += len(report.doubts)
    assert doubted > refused, "of equally good models most losses are chance"


def one_label(scores: list[float], hits: list[bool], boxes: int) -> Callable[[], object]:
    truth = [(20.0 * n, 0.0, 20.0 * n + 10, 10.0) for n in range(boxes)]
    free = iter(truth)
    found = [next(free) if hit else (0.0, 500.0 + 20 * n, 10.0, 510.0 + 20 * n) for n, hit in enumerate(hits)]
    picture = scene(per_camera=1)[0]
    picture = type(picture)("p", "gate", boxes_of(truth, [1.0] * boxes))
    return lambda: match([picture], [boxes_of(found, scores)], "person")


def boxes_of(xyxy: list[tuple[float, float, float, float]], scores: list[float]) -> Boxes:
    return Boxes(np.array(xyxy, float).reshape(-1, 4), ("person",) * len(xyxy), np.array(scores, float))


@pytest.mark.parametrize(
    ("scores", "hits", "boxes", "expected"),
    [
        ([0.9, 0.8], [True, True], 2, 1.0),
        ([], [], 2, 0.0),
        ([0.9], [False], 2, 0.0),
        ([0.9], [True], 2, 51 / 101),  # recalls 0 to .50 of 101
        ([0.9, 0.8, 0.7], [True, False, True], 2, (51 + 50 * 2 / 3) / 101),
    ],
    ids=["all", "nothing", "wrong", "half", "one wrong between"],
)
def test_average_precision_is_coco_s(scores: list[float], hits: list[bool], boxes: int, expected: float) -> None:
    matches = one_label(scores, hits, boxes)()
    assert average_precision(matches, np.ones(1)) == pytest.approx(expected)


def test_a_picture_that_weighs_twice_is_as_good_as_there_twice() -> None:
    pictures = scene(per_camera=5)
    found = seen(pictures, "m", recall=0.6, seed=5).boxes
    weights = np.arange(len(pictures)) % 3
    twice = [n for n, weight in enumerate(weights) for _ in range(weight)]
    for figure in (average_precision, lambda matches, row: f1(matches, row, 0.5)):
        assert figure(match(pictures, found, "person"), weights.astype(float)) == pytest.approx(
            figure(match([pictures[n] for n in twice], [found[n] for n in twice], "person"), np.ones(len(twice)))
        )


def test_two_boxes_on_one_thing_are_one_hit() -> None:
    matches = match(
        [type(PICTURES[0])("p", "gate", boxes_of([(0, 0, 10, 10)], [1.0]))],
        [boxes_of([(0, 0, 10, 10), (0, 0, 10, 9)], [0.8, 0.9])],
        "person",
    )
    assert matches.hits.tolist() == [True, False]


def test_the_boxes_that_are_lost_most_are_told_one_a_picture() -> None:
    truth = boxes_of([(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)], [1.0] * 3)
    pictures = [Picture(name, "gate", truth) for name in ("a", "b", "c")]
    before = [boxes_of([(20, 0, 30, 10), (0, 0, 10, 10), (21, 0, 31, 10)], [0.9, 0.5, 0.8])] * 3
    after = [
        boxes_of([(0, 0, 10, 10), (20, 0, 30, 10)], [0.2, 0.85]),
        boxes_of([(40, 0, 50, 10)], [0.9]),
        boxes_of([(20, 0, 30, 10), (0, 0, 10, 10)], [0.9, 0.45]),  # less than what counts
    ]
    found = worst(pictures, ["site"] * 3, before, after)
    assert [(one.picture, one.xyxy[0], one.before, one.after) for one in found] == [
        ("b", 20, 0.9, 0),
        ("a", 0, 0.5, 0.2),
    ]
    report = msgspec.structs.replace(verdict(), worst=found)
    assert "- person at gate: 0.90 -> 0.00, in b of site" in markdown(report)


def test_calibrated_scores_have_no_error() -> None:
    scores = [0.75] * 4
    assert calibration_error([one_label(scores, [True, True, True, False], 3)()]) == pytest.approx(0)
    assert calibration_error([one_label(scores, [False] * 4, 3)()]) == pytest.approx(0.75)
    assert calibration_error([]) == 0


def test_each_camera_keeps_its_number_of_pictures() -> None:
    cameras = ["a"] * 3 + ["b"] * 7
    weights = resampled(cameras, 20, seed=1)
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:].sum(axis=1) == 7).all()
    assert (weights == resampled(cameras, 20, seed=1)).all()
