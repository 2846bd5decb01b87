"""Windows of the localiser's training: boxes and points move with the picture, and only what is known is learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from training.faces.heads import Window, cut, mirror, targets_of
from training.faces.localiser import points_loss
from training.faces.recipe import FaceTeacherConfig, HeadsConfig, LocaliserRecipe, PeopleConfig
from training.faces.teachers import FaceBoxes
from training.network import anchor_points
from training.recipe import ScheduleConfig
from training.yaml_file import read_yaml

pytestmark = pytest.mark.training

STILL = HeadsConfig(window=160, turn=0)
POINTS = np.array([[[90, 90], [110, 90], [100, 102], [92, 114], [108, 114]]], np.float32)


@pytest.fixture
def faces() -> FaceBoxes:
    return FaceBoxes(np.array([[80, 70, 120, 130]], np.float32), np.array([0.9], np.float32), POINTS)


@pytest.fixture
def recipe() -> LocaliserRecipe:
    return LocaliserRecipe(
        name="faces",
        version="1",
        start="none",
        sets=(),
        people=PeopleConfig(pictures="none"),
        teachers=(FaceTeacherConfig(weights="none", kind="yunet"),),
        sure=0.6,
        unsure=0.2,
        least_points=18,
        schedule=ScheduleConfig(steps=1),
    )


def whole(faces: FaceBoxes) -> Window:
    """A black picture of 160x160 with these faces, as it is."""
    middle = np.full(2, 80.0)
    return cut(np.zeros((160, 160, 3), np.uint8), faces, middle, 1.0, middle, STILL, np.random.default_rng(0))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_points_stay_on_what_they_mark(faces: FaceBoxes, scale: float) -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(picture, (110, 90), 4, (255, 255, 255), -1)  # the second eye
    config = msgspec.structs.replace(STILL, turn=20.0)
    rng = np.random.default_rng(2)
    window = cut(picture, faces, np.array([100.0, 100.0]), scale, np.array([70.0, 60.0]), config, rng)
    y, x = np.nonzero(window.picture[..., 0] > 127)
    assert (x.mean(), y.mean()) == pytest.approx(window.points[0, 1].tolist(), abs=1.0)
    sides = window.xyxy[0, 2:] - window.xyxy[0, :2]
    assert sides.tolist() == pytest.approx([40 * scale, 60 * scale], rel=1e-4)


def test_in_a_mirror_left_becomes_right(faces: FaceBoxes) -> None:
    window = whole(faces)
    mirrored = mirror(window)
    assert mirrored.points[0, 0, 0] < mirrored.points[0, 1, 0]  # the eye at the left is still the first
    assert mirrored.points[0, 0].tolist() == [159 - 110, 90]
    assert mirrored.xyxy[0].tolist() == [40, 70, 80, 130]
    np.testing.assert_allclose(mirror(mirrored).points, window.points)


def test_what_is_unsure_is_ignored_and_points_of_small_faces_are_not_learnt(recipe: LocaliserRecipe) -> None:
    boxes = np.array([[10, 10, 50, 60], [60, 10, 100, 60], [110, 10, 150, 60], [10, 80, 20, 92]], np.float32)
    found = FaceBoxes(boxes, np.array([0.9, 0.4, 0.1, 0.9], np.float32), np.repeat(POINTS, 4, 0))
    window = whole(found)
    targets = targets_of(window, recipe)
    assert targets.faces.weights.tolist() == [1, 0, 1]  # sure, unsure (ignored), nothing of the third, small but sure
    assert targets.known.tolist() == [1, 0, 0]


def test_a_window_without_labels_is_ignored_altogether(recipe: LocaliserRecipe, faces: FaceBoxes) -> None:
    window = whole(faces)
    targets = targets_of(replace(window, labelled=False), recipe)
    assert targets.faces.xyxy.tolist() == [[0, 0, 160, 160]]
    assert targets.faces.weights.tolist() == [0]


def test_points_cost_nothing_where_they_are_right(recipe: LocaliserRecipe, faces: FaceBoxes) -> None:
    window = whole(faces)
    targets = targets_of(window, recipe)
    cells, strides = anchor_points(160)
    said = torch.zeros(1, len(cells), 16)
    said[0, :, :4] = torch.tensor([100.0, 100, 40, 60])
    said[0, :, 6:] = torch.from_numpy(POINTS).flatten()
    assert float(points_loss(said, [targets], cells, strides)) == 0
    said[0, :, 6] += 10
    assert float(points_loss(said, [targets], cells, strides)) > 0.05


def test_the_recipe_of_the_bundled_localiser_can_be_read() -> None:
    path = Path(__file__).resolve().parents[4] / "training" / "recipes" / "face-localiser.yaml"
    sets = read_yaml(path, LocaliserRecipe).sets
    tested = {item.pictures for item in sets if item.role == "test"}
    assert not tested & {item.pictures for item in sets if item.role != "test"}
