"""A second stage on a picture: which square, in one batch, and models that are something else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from contracts.errors import ContractError, ModelError
from contracts.manifest import Attribute, ModelInput
from stream.vision import SessionOptions
from stream.vision.classifier import Classifier, crop, squares
from tests.builders import DATA, jpeg_of, manifest_of, shade_manifest, solid

CPU = SessionOptions(device="cpu")
WHOLE = Attribute(name="shade", margin=0.1)


@pytest.fixture
def classifier() -> Classifier:
    return Classifier.open(shade_manifest(), DATA, CPU)


def test_what_is_in_each_box_is_said_in_pixels_of_the_camera(classifier: Classifier) -> None:
    picture = solid(320, 240)
    picture[20:100, 20:100], picture[20:100, 200:280] = (250, 0, 0), (0, 0, 250)
    boxes = np.array([[40, 40, 200, 200], [400, 40, 560, 200]], np.float32)  # of a camera of 640x480
    blue, red = classifier.look_in(jpeg_of(picture), (640, 480), boxes)
    assert max(blue.probabilities, key=blue.probabilities.__getitem__) == "blue"
    assert max(red.probabilities, key=red.probabilities.__getitem__) == "red"
    assert sum(red.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert red.xyxy == (384, 24, 576, 216)  # 160 px and a tenth on each side
    assert red.side == 96  # in the JPEG, which is half as large


def test_a_batch_says_what_each_alone_would(classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(5)]
    together = classifier.probabilities(crops)
    assert np.array_equal(together, np.concatenate([classifier.probabilities([one]) for one in crops]))
    assert classifier.probabilities([]).shape == (0, 3)


def test_the_temperature_makes_it_less_sure() -> None:
    red = [np.full((64, 64, 3), (0, 0, 250), np.uint8)]
    sure, doubtful = (
        Classifier.open(shade_manifest(attribute=Attribute(name="shade", temperature=t)), DATA, CPU).probabilities(red)
        for t in (1.0, 5.0)
    )
    assert sure[0, 2] > doubtful[0, 2] > 0.5


@pytest.mark.parametrize(
    ("attribute", "square"),
    [
        (WHOLE, (60, 30, 300, 270)),  # 200 high: 240 with its margins, around the middle
        (Attribute(name="hat", part="head", margin=0.0), (140, 42, 220, 122)),
        (Attribute(name="hat", part="head", margin=0.25), (120, 22, 240, 142)),
    ],
    ids=["whole", "head", "head with a margin"],
)
def test_what_of_a_box_is_seen(attribute: Attribute, square: tuple[float, ...]) -> None:
    assert squares(np.array([[155, 50, 205, 250]], np.float32), attribute).tolist() == [list(square)]


def test_beyond_the_picture_it_is_grey() -> None:
    made = crop(solid(20, 20, (9, 9, 9)), np.array([-20, -20, 20, 20], np.float32), 16)
    assert (made[:8].min(), made[:8].max()) == (114, 114)
    assert made[8:, 8:].max() == 9


def test_large_boxes_come_first_and_small_ones_never(classifier: Classifier) -> None:
    boxes = np.array([[0, 0, s, s] for s in (50, 5, 90, 60, 80, 70)], np.float32)
    assert classifier.worth(boxes, 9, 0).tolist() == [2, 4, 5, 3, 0]
    turns = [classifier.worth(boxes, 2, turn).tolist() for turn in range(4)]
    assert {turn[0] for turn in turns} == {2}
    assert {turn[1] for turn in turns} == {4, 5, 3, 0}


def test_a_jpeg_that_cannot_be_decoded_is_the_messages_fault(classifier: Classifier) -> None:
    with pytest.raises(ContractError):
        classifier.look_in(b"nothing", (640, 480), np.array([[0, 0, 100, 100]], np.float32))
    assert classifier.look_in(b"nothing", (640, 480), np.zeros((0, 4), np.float32)) == []


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        (manifest_of(DATA / "bright_boxes.onnx"), "no attribute"),
        (replace(manifest_of(DATA / "bright_boxes.onnx"), attribute=WHOLE), "not a classifier"),
        (replace(manifest_of(DATA / "bright_boxes.onnx"), attribute=WHOLE, task="classifier"), "not logits"),
        (shade_manifest(labels=("blue", "red")), "gives"),
        (shade_manifest(sha256="0" * 64), "sha256"),
        (shade_manifest(input=ModelInput(name="images", width=16, height=32)), "not a square"),
        (shade_manifest(input=ModelInput(name="images", width=32, height=32)), "does not run"),
    ],
    ids=["no attribute", "a detector", "other outputs", "other labels", "another file", "no square", "another size"],
)
def test_a_model_that_is_something_else_is_refused(manifest, word) -> None:
    with pytest.raises(ModelError, match=word):
        Classifier.open(manifest, DATA, CPU)


def test_the_reference_in_opencv(classifier: Classifier) -> None:
    """The crop is OpenCV's own area resize of the square, so that training cuts the same pixels."""
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (200, 200, 3), np.uint8)
    wanted = cv2.resize(picture[40:140, 30:130], (16, 16), interpolation=cv2.INTER_AREA)
    assert np.array_equal(crop(picture, np.array([30, 40, 130, 140], np.float32), 16), wanted)
