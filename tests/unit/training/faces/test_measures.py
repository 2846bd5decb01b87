"""Verification, open-set identification and rejection on vectors whose answers are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stream.identity.cohort import NOBODY
from stream.vision.faces import Face
from training.faces import measures
from training.faces.degrade import degrade, shrink_and_compress
from training.faces.evaluate import FoundFaces, threshold_for
from training.faces.recipe import DegradeConfig
from training.faces.report import plot_localiser
from training.faces.teachers import FaceBoxes

pytestmark = pytest.mark.training


def test_the_worst_pictures_show_what_is_missed_and_what_is_false(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((300, 400, 3), np.uint8))
    known = FaceBoxes(np.float32([[20, 20, 80, 80], [120, 20, 180, 80]]), np.ones(2), np.zeros((2, 5, 2)))
    found = tuple(Face(box, 0.9, np.zeros((5, 2))) for box in ((20, 20, 80, 80), (220, 20, 280, 80)))
    item = FoundFaces("s/a.png", tmp_path / "a.png", known, found, ((), ()))
    assert plot_localiser({"s": [item]}, {item.key: known}, tmp_path) == ["misses.png", "worst-pictures.jpg"]
    edges = cv2.imread(str(tmp_path / "worst-pictures.jpg"))[50, (20, 120, 220)] > 128  # left ones, BGR
    assert edges.tolist() == [[False, True, False], [False, True, True], [False, False, True]]


def people(count: int, each: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of `count` people with `each` faces, scattered around a centre a person."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (count, 32))
    persons = np.repeat(np.arange(count), each)
    vectors = centres[persons] + rng.normal(0, noise, (count * each, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), persons


def test_all_pairs_are_counted_once() -> None:
    vectors, persons = people(4, 3, 0.1)
    genuine, impostor = measures.all_pairs(vectors, vectors, persons)
    assert (len(genuine), len(impostor)) == (4 * 3, 12 * 11 // 2 - 12)
    assert genuine.min() > impostor.max()


def test_true_accepts_at_a_rate_of_false_ones() -> None:
    genuine, impostor = np.array([0.2, 0.4, 0.6, 0.8], np.float32), np.linspace(0, 0.5, 1001, dtype=np.float32)
    share, threshold = measures.true_accepts(genuine, impostor, 0.1)
    assert threshold == pytest.approx(0.45, abs=1e-3)
    assert share == 0.5


def test_no_person_is_in_two_folds_and_half_of_the_pairs_are_of_one() -> None:
    _, persons = people(60, 3, 0.1)
    pairs = measures.draw_pairs(persons, seed=1)
    folds = {}
    for first, second, fold in zip(pairs.first, pairs.second, pairs.fold, strict=True):
        for place in (first, second):
            assert folds.setdefault(persons[place], fold) == fold
    assert pairs.same.mean() == 0.5
    assert (persons[pairs.first] == persons[pairs.second]).tolist() == pairs.same.tolist()


@pytest.mark.parametrize(("noise", "accuracy"), [(0.2, 1.0), (30.0, 0.5)])  # all apart; nothing but noise
def test_verification_accuracy_of_clear_and_of_meaningless_vectors(noise: float, accuracy: float) -> None:
    vectors, persons = people(80, 3, noise)
    found, _ = measures.verification_accuracy(vectors, vectors, measures.draw_pairs(persons, seed=1))
    assert found == pytest.approx(accuracy, abs=0.08)


def test_strangers_are_never_enrolled_and_misses_grow_as_fewer_strangers_are_named() -> None:
    vectors, persons = people(120, 2, 0.8)
    for split in measures.draw_splits(persons, seed=3, enrolled=30, strangers=80):
        assert set(persons[split.gallery]) == set(persons[split.mates])
        assert not set(persons[split.strangers]) & set(persons[split.gallery])
        assert not set(split.gallery) & set(split.mates)
        trial = measures.identify(vectors, vectors, split, NOBODY)
        assert (trial.strangers >= trial.threshold(0.1)).mean() == pytest.approx(0.1, abs=0.02)
        missed = measures.misses_at([trial], np.array([0.01, 0.1, 0.5]))[0]
        assert missed[0] >= missed[1] >= missed[2]


def test_a_large_gallery_takes_in_people_with_one_face_who_are_not_looked_for() -> None:
    vectors, persons = people(40, 2, 0.1)
    vectors, persons = np.delete(vectors, range(30), 0), np.delete(persons, range(30))  # 25 people of two faces left
    lonely, alone = people(60, 1, 0.1, seed=8)
    vectors, persons = np.concatenate((vectors, lonely)), np.concatenate((persons - 15, alone + 25))
    for split in measures.draw_splits(persons, seed=3, enrolled=45, strangers=30):
        assert (len(split.gallery), len(split.mates), len(split.strangers)) == (45, 25, 30)
        assert len(set(persons[split.gallery])) == 45
        assert persons[split.gallery[:25]].tolist() == persons[split.mates].tolist()
        assert not set(persons[split.strangers]) & set(persons[split.gallery])
        assert len(measures.identify(vectors, vectors, split, NOBODY).right) == 25


def test_rejection_by_a_good_quality_removes_the_errors_and_by_none_removes_nothing() -> None:
    missed = np.arange(100) < 20
    shares = np.array([0.0, 0.1, 0.2])
    np.testing.assert_allclose(
        measures.errors_after_rejection(missed, np.arange(100, dtype=np.float32), shares), [0.2, 10 / 90, 0]
    )
    against = measures.errors_after_rejection(missed, -np.arange(100, dtype=np.float32), shares)
    assert against.tolist() == pytest.approx([0.2, 20 / 90, 0.25])


@pytest.mark.parametrize(
    ("pictures", "through"),
    [(100, 1), (99, 0), (300, 3), (1000, 4)],  # one in a hundred; rounded down; all there are
)
def test_the_threshold_lets_through_so_many_false_boxes(pictures: int, through: int) -> None:
    false = np.array([0.9, 0.7, 0.5, 0.3], np.float32)
    assert (false >= threshold_for(false, pictures, 0.01)).sum() == through


def test_a_degraded_face_is_the_same_for_the_same_seed_and_poorer_than_before() -> None:
    rng = np.random.default_rng(5)
    face = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
    config = DegradeConfig(clean=0.0, shrink_share=1.0)
    one, again, other = (degrade(face, config, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (112, 112, 3)
    assert (one == again).all()
    assert (one != other).any()
    assert np.abs(np.diff(one.astype(int), axis=1)).mean() < np.abs(np.diff(face.astype(int), axis=1)).mean() / 2
    small = shrink_and_compress(face, 24)
    assert len(np.unique(small[::14, ::14])) > 1
    assert np.abs(np.diff(small.astype(int), axis=1)).mean() < 10
