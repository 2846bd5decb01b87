"""Tracks made of one face: reproducible, and of one size that hardly changes."""

from __future__ import annotations

import numpy as np
import pytest

from training.faces.cohort import paired
from training.faces.people import Faces
from training.faces.recipe import DegradeConfig
from training.faces.tracks import Walk, looks_of_any_size, looks_of_track, tracks_of

pytestmark = pytest.mark.training

FACE = np.random.default_rng(1).integers(0, 255, (112, 112, 3), dtype=np.uint8)


@pytest.mark.parametrize("walk", [looks_of_track, looks_of_any_size])
def test_a_track_is_the_same_for_the_same_seed_and_no_two_of_its_looks_are(walk: Walk) -> None:
    one, again = (walk(FACE, 4, DegradeConfig(), np.random.default_rng(3)) for _ in range(2))
    assert one.shape == (4, 112, 112, 3)
    assert (one == again).all()
    assert all((one[0] != look).any() for look in one[1:])


def test_some_tracks_begin_with_the_face_as_it_is() -> None:
    clear = [(looks_of_track(FACE, 1, DegradeConfig(), np.random.default_rng(k))[0] == FACE).all() for k in range(200)]
    assert 0.08 <= np.mean(clear) <= 0.24  # 15 % of 200: a standard deviation of 2.5 points


def test_each_face_gives_a_track_that_knows_its_picture() -> None:
    faces = Faces(np.stack([FACE] * 3), np.array([0, 0, 1]), ("Ann", "Bob"), ("a", "b", "c"), ())
    vectors = np.eye(4, dtype=np.float32)[:2]
    made = tracks_of(faces, lambda pictures: (vectors, np.full(2, 0.5, np.float32)), 2, DegradeConfig(), 1)
    assert [(track.person, track.source, len(track.qualities)) for track in made] == [(0, 0, 2), (0, 1, 2), (1, 2, 2)]


def test_each_row_of_a_cohort_is_of_two_people_who_are_alike() -> None:
    people = np.eye(8, dtype=np.float32)
    people[1] = people[0] * 0.9 + people[1] * 0.4
    people[1] /= np.linalg.norm(people[1])
    rows = paired(np.repeat(people, 2, axis=0), np.repeat(np.arange(8), 2))
    assert rows.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert (rows @ people.T).max() < 0.99
    np.testing.assert_allclose(rows[0] @ people[0], rows[0] @ people[1], atol=1e-6)
