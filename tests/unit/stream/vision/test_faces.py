"""From a person's box to a face: which part of the picture is looked at, whose face it is, how it is aligned."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from contracts.errors import ModelError
from contracts.manifest import load_manifest, model_bytes
from stream.vision.faces import (
    REFERENCE,
    Face,
    FaceConfig,
    FaceEmbedder,
    FaceLocaliser,
    FaceLooker,
    align,
    faces_of,
    head_squares,
    similarity,
    worthwhile,
)
from stream.vision.session import Session, SessionOptions
from tests.builders import drawn_face, solid

MODELS = Path(__file__).resolve().parents[4] / "models"
CPU = SessionOptions(device="cpu")


def face(x, y, size=20.0, confidence=0.9):
    """A face around (x, y) whose points lie as in the reference."""
    box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Face(box, confidence, (REFERENCE - 56) * size / 80 + (x, y))


@pytest.fixture(scope="module")
def localiser():
    return FaceLocaliser.open(load_manifest(MODELS / "face-localiser.json"), MODELS, CPU)


@pytest.fixture(scope="module")
def embedder():
    return FaceEmbedder.open(load_manifest(MODELS / "face-embedder.json"), MODELS, CPU)


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((100, 50, 150, 250), (85, 42, 165, 122)),  # standing: .4 of the height, around the middle, a tenth above
        ((100, 50, 220, 170), (100, 38, 220, 158)),  # sitting: as wide as the box
    ],
)
def test_a_head_is_in_the_upper_part_of_the_box(box, square):
    assert head_squares(np.array([box], np.float32), 0.4).tolist() == [list(square)]


def test_only_the_largest_heads_that_are_large_enough_are_looked_at():
    sides = np.array([50, 39, 90, 60, 90], np.float32)
    left = np.array([0, 100, 300, 200, 250], np.float32)
    squares = np.stack((left, left * 0, left + sides, sides), 1)
    assert worthwhile(squares, 4, 40).tolist() == [4, 2, 3, 0]
    assert worthwhile(squares, 9, 40).tolist() == [4, 2, 3, 0]


def test_of_a_crowd_the_largest_are_looked_at_each_time_and_the_others_by_turns():
    sides = np.array([90, 80, 70, 60, 50, 45], np.float32)
    squares = np.stack((sides * 0, sides * 0, sides, sides), 1)
    turns = [worthwhile(squares, 3, 40, turn).tolist() for turn in range(5)]
    assert turns == [[0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5], [0, 1, 2]]
    assert worthwhile(squares, 1, 40, 7).tolist() == [0]


def test_a_face_in_two_squares_belongs_to_the_nearer_head():
    squares = np.array([[0, 0, 100, 100], [60, 0, 160, 100]], np.float32)
    left, right = face(50, 33), face(112, 35)
    found = [(right, left), (right,)]  # the right face is at the edge of the left square as well
    assert faces_of(squares, found) == {0: left, 1: right}
    assert faces_of(squares, [(right,), (right,)]) == {1: right}


def test_no_face_is_no_entry():
    assert faces_of(np.array([[0, 0, 100, 100]], np.float32), [()]) == {}


def test_a_similarity_is_found_again():
    points = (REFERENCE - 56) @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3 + (400, 200)
    matrix = similarity(points, REFERENCE)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], REFERENCE, atol=1e-9)


def test_points_that_coincide_give_no_similarity():
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((5, 2)), REFERENCE)


@pytest.mark.parametrize("size", [40, 112, 600])
def test_an_aligned_face_has_its_points_on_the_reference(size):
    """Discs at the five points of a small, an equal and a large face come to lie on the reference."""
    scale = size / 112
    picture = solid(1000, 800)
    points = (REFERENCE - 56) * scale + (500, 400)
    for x, y in points:
        cv2.circle(picture, (round(x * 16), round(y * 16)), round(5 * scale * 16), (255, 255, 255), -1, shift=4)
    aligned = align(picture, points)
    assert aligned.shape == (112, 112, 3)
    _, _, _, centres = cv2.connectedComponentsWithStats((aligned[..., 0] > 127).astype(np.uint8))
    order = np.abs(REFERENCE[:, None] - centres[None, 1:]).sum(2).argmin(1)
    np.testing.assert_allclose(centres[1:][order], REFERENCE, atol=0.8)


def test_a_face_at_the_edge_is_aligned_too():
    picture = solid(300, 300, (9, 9, 9))
    assert align(picture, (REFERENCE - 56) * 4 + (20, 280)).shape == (112, 112, 3)


def test_the_bundled_models_are_what_their_manifests_say():
    for name, task in (("face-localiser", "face-localiser"), ("face-embedder", "face-embedder")):
        manifest = load_manifest(MODELS / f"{name}.json")
        assert (manifest.name, manifest.task) == (name, task)
        assert model_bytes(manifest, MODELS)
        assert manifest.provenance.trained_from
        assert manifest.metrics


def test_a_model_of_another_task_is_refused():
    manifest = load_manifest(MODELS / "face-localiser.json")
    with pytest.raises(ModelError, match="is a face-localiser, not a face-embedder"):
        FaceEmbedder.open(manifest, MODELS, CPU)
    with pytest.raises(ModelError, match="is a face-localiser, not a detector"):
        Session.open(manifest, MODELS, CPU)
    lying = msgspec.structs.replace(manifest, task="face-embedder")
    with pytest.raises(ModelError, match="not vectors, qualities"):
        FaceEmbedder.open(lying, MODELS, CPU)


def test_there_is_no_face_in_an_empty_picture(localiser, embedder):
    picture = solid(640, 360, (120, 110, 100))
    assert localiser.everywhere(picture) == ()
    people = np.array([[100, 50, 200, 350], [-50, -20, 80, 300], [620, 100, 700, 400]], np.float32)
    assert FaceLooker(localiser, embedder, FaceConfig()).look(picture, people) == {}
    assert FaceLooker(localiser, embedder, FaceConfig()).look(picture, people[:0]) == {}


def test_a_drawn_face_is_found_where_it_is_in_heads_and_in_the_whole_picture(localiser):
    picture = drawn_face(solid(300, 220, (150, 160, 170)), (150, 100), 70)
    (whole,) = localiser.everywhere(picture)
    ((head, *_),) = localiser.in_heads(picture, np.array([[60, 20, 240, 200]], np.float32))
    for found in (whole, head):
        middle = (found.xyxy[0] + found.xyxy[2]) / 2, (found.xyxy[1] + found.xyxy[3]) / 2
        assert middle == pytest.approx((150, 100), abs=14)
        left, right, nose, *_ = found.points
        assert left[0] < nose[0] < right[0]
        assert max(left[1], right[1]) < nose[1]


def test_vectors_have_length_one_and_do_not_see_their_neighbours(embedder):
    rng = np.random.default_rng(3)
    faces = [np.asarray(cv2.GaussianBlur(rng.integers(0, 255, (112, 112, 3), np.uint8), (0, 0), 4)) for _ in range(3)]
    vectors, qualities = embedder.embed(faces)
    assert vectors.shape == (3, embedder.manifest.embedding)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert ((qualities >= 0) & (qualities <= 1)).all()
    alone, quality = embedder.embed(faces[1:2])
    np.testing.assert_allclose(alone[0], vectors[1], atol=1e-4)
    np.testing.assert_allclose(quality[0], qualities[1], atol=1e-4)
    assert embedder.embed([])[0].shape == (0, embedder.manifest.embedding)
