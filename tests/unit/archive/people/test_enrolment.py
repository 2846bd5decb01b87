"""Enrolment: which pictures are taken, and for which reason the others are not."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from archive.people import (
    Candidate,
    Enrolment,
    FaceModels,
    Gallery,
    Person,
    PictureError,
    SessionOptions,
    crop,
    opened,
)
from archive.people.pictures import CROP_SIDE, LONGEST, MAX_BYTES
from contracts.face_models import FaceManifests
from tests.builders import drawn_face, jpeg_of, solid
from tests.unit.stream.identity import people as world

SHARED_FACES = Path(__file__).resolve().parents[5] / "shared" / "data" / "faces" / "azure_families"
WALL = (150, 160, 170)


@pytest.fixture(scope="module")
def models() -> FaceModels:
    return FaceModels(FaceManifests(), SessionOptions(device="cpu"))


@pytest.fixture(scope="module")
def rules(models: FaceModels) -> Enrolment:
    return Enrolment(models.calibration, wanted_rate=0.01)


def portrait(height: int = 300):
    return drawn_face(solid(640, 520, WALL), (320, 260), height)


def two_people():
    return drawn_face(drawn_face(solid(640, 400, WALL), (180, 200), 150), (460, 200), 150)


def examine(models, rules, picture, **how):
    return rules.examine(picture, models.faces(picture), **how)


@pytest.mark.parametrize(
    ("picture", "reason", "says"),
    [
        (solid(480, 400, WALL), "no_face", "no face is to be found in this picture"),
        (two_people(), "several_faces", "there are 2 faces"),
        (portrait(32), "too_small", "come nearer"),
        (cv2.GaussianBlur(portrait(220), (0, 0), 9), "low_quality", "too blurred"),
    ],
    ids=["no face", "several faces", "small", "blurred"],
)
def test_a_picture_is_refused_with_the_reason(models, rules, picture, reason, says):
    found = examine(models, rules, picture)
    assert found.refusal is not None
    assert found.refusal.reason == reason
    assert says in found.refusal.text


def test_a_good_picture_gives_a_vector_a_crop_and_where_the_face_is(models, rules):
    found = examine(models, rules, portrait())
    assert found.refusal is None
    assert found.chosen == 0
    assert np.linalg.norm(found.candidate.vector) == pytest.approx(1, abs=1e-3)
    assert found.candidate.strength > 0.5
    assert Image.open(io.BytesIO(found.candidate.crop)).width <= CROP_SIDE
    x1, y1, x2, y2 = found.faces[0].xyxy
    assert 0 < x1 < 0.5 < x2 < 1
    assert 0 < y1 < 0.5 < y2 < 1


def test_of_several_faces_one_is_chosen_by_number_or_by_where_it_is(models, rules):
    picture = two_people()
    found = examine(models, rules, picture)
    assert found.candidate is None
    left = min(range(2), key=lambda number: found.faces[number].xyxy[0])
    assert examine(models, rules, picture, chosen=left).candidate is not None
    assert examine(models, rules, picture, near=(120.0, 120.0, 240.0, 270.0)).chosen == left  # a face
    assert examine(models, rules, picture, near=(330.0, 50.0, 600.0, 390.0)).chosen == 1 - left  # a whole person
    assert examine(models, rules, picture, near=(0.0, 0.0, 30.0, 30.0)).refusal.reason == "no_face"
    assert examine(models, rules, picture, chosen=7).refusal.reason == "several_faces"


def enrolled(count: int = 40):
    """People, with a picture each, of known directions."""
    rng = np.random.default_rng(5)
    directions = world.directions(count, rng)
    people = {Person(f"p-{n}", f"Person {n}"): directions[n][None] for n in range(count)}
    return Gallery.of(people), directions


def at_cosine(direction, cosine):
    return world.looks(direction, np.full(1, cosine), np.random.default_rng(7))[0]


def test_a_face_too_like_somebody_else_says_who_and_how_much(rules):
    gallery, directions = enrolled()
    twin = Candidate(at_cosine(directions[7], 0.8), strength=0.8)
    refusal = rules.refusal(twin, gallery)
    assert (refusal.reason, refusal.person_id) == ("someone_else", "p-7")
    assert refusal.score == pytest.approx(0.8, abs=0.01)
    assert refusal.strangers < 0.001
    assert "Person 7" in refusal.text
    assert rules.refusal(twin, gallery, sure=True) is None  # an operator knows that they are twins
    assert rules.refusal(twin, gallery, person_id="p-7") is None  # one more picture of the same
    assert rules.refusal(twin, gallery, person_id="p-3").reason == "someone_else"


def test_the_threshold_follows_from_the_wanted_rate_and_the_gallerys_size(models):
    gallery, directions = enrolled(1000)
    look = Candidate(at_cosine(directions[7], 0.45), strength=0.8)
    assert Enrolment(models.calibration, 0.01).refusal(look, gallery) is None
    assert Enrolment(models.calibration, 0.2).refusal(look, gallery) is not None
    few, _ = enrolled(20)
    assert Enrolment(models.calibration, 0.01).refusal(look, few) is not None


def test_the_same_picture_twice_and_a_look_that_a_large_gallery_has_no_use_for(rules):
    gallery, directions = enrolled()
    same = Candidate(at_cosine(directions[2], 0.99), strength=0.8)
    assert rules.refusal(same, gallery, person_id="p-2").reason == "same_picture"
    large, _ = enrolled(3000)
    fair = Candidate(at_cosine(world.directions(1, np.random.default_rng(9))[0], 0.9), strength=0.67)
    assert rules.refusal(fair, gallery) is None
    assert rules.refusal(fair, large).reason == "low_quality"


def test_a_picture_is_turned_as_its_camera_meant():
    image = Image.fromarray(np.ascontiguousarray(portrait()[..., ::-1]))
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    image.transpose(Image.Transpose.ROTATE_90).save(data, "JPEG", exif=exif.tobytes(), quality=95)
    assert opened(data.getvalue()).shape == (520, 640, 3)


def test_a_large_picture_is_made_smaller():
    assert max(opened(jpeg_of(solid(4000, 500))).shape) == LONGEST


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no picture that can be read"),
        (b"GIF89a" + bytes(50), "no picture that can be read"),
        (jpeg_of(solid(600, 600))[:300], "damaged"),
        (bytes(MAX_BYTES + 1), "at most 8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "can be read|damaged"),
    ],
    ids=["nothing", "a GIF", "cut off", "too many bytes", "a torn PNG"],
)
def test_a_bad_file_is_refused_in_words(data, says):
    with pytest.raises(PictureError, match=says):
        opened(data)


def test_a_picture_of_too_many_pixels_is_not_decoded():
    data = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(data, "PNG")
    with pytest.raises(PictureError, match="too many"):
        opened(data.getvalue())


def test_a_crop_at_the_edge_stays_within_the_picture():
    data = crop(solid(300, 200), (250.0, 150.0, 310.0, 230.0))
    assert Image.open(io.BytesIO(data)).size[0] <= 200


@pytest.mark.shared
def test_real_faces_are_taken_and_told_apart(models, rules):
    if not SHARED_FACES.is_dir():
        pytest.skip("recorded faces are not here")

    def look(name: str) -> Candidate:
        found = examine(models, rules, opened((SHARED_FACES / name).read_bytes()))
        assert found.refusal is None, (name, found.refusal)
        return found.candidate

    dad, again, mom = look("Family1-Dad1.jpg"), look("Family1-Dad2.jpg"), look("Family1-Mom1.jpg")
    gallery = Gallery.of({Person("dad", "Dad"): dad.vector[None]})
    assert rules.refusal(mom, gallery) is None
    assert rules.refusal(again, gallery).reason == "someone_else"
    assert rules.refusal(again, gallery, person_id="dad") is None
    assert rules.refusal(dad, gallery, person_id="dad").reason == "same_picture"
