"""What the detect job adds of classifiers: on which boxes, how many, the same again, and how models are chosen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from contracts.attributes import KIND
from contracts.config import Camera, CameraClassifier
from contracts.config_file import parse
from contracts.errors import ConfigError, ModelError
from contracts.messages import Detection, Frame
from contracts.metrics import Metrics
from stream.jobs.attribute_looks import AttributeLooks
from stream.jobs.classifiers import classifiers_in_service
from stream.vision import SessionOptions
from stream.vision.classifier import Classifier
from tests.builders import DATA, jpeg_of, shade_manifest, solid

T0_MS = 1_767_225_600_000
CONFIG = """
site: {name: site}
cameras:
  gate:
    inputs: [{url: gate.mp4}]
    zones: {yard: {coordinates: [[0, 0], [1, 0], [1, 1], [0, 1]]}}
  hall:
    inputs: [{url: hall.mp4}]
    zones: {yard: {coordinates: [[0, 0], [1, 0], [1, 1], [0, 1]]}}
    classifiers: {shade: {enabled: false}}
classifiers: {shade: {manifest: shade.json, most: 3, boxes: [person, car]}}
rules:
  reds: {kind: zone_entry, zone: yard, cameras: [gate], attributes: {shade: red}}
"""


def frame(turn: int = 0) -> Frame:
    picture = solid(640, 480, (0, 0, 250))
    values = {"site": "site", "camera": "gate", "session": 1, "index": turn, "captured_at_ms": T0_MS + 500 * turn}
    return Frame(**values, width=640, height=480, detail=True, motion=0.1, sha256="", jpeg=jpeg_of(picture))


def box(x: float, size: float = 60, confidence: float = 0.9, label: str = "person") -> Detection:
    return Detection(xyxy=(x, 10.0, x + size, 10.0 + size), confidence=confidence, label=label)


def looks(most: int = 6) -> AttributeLooks:
    return AttributeLooks(
        Classifier.open(shade_manifest(), DATA, SessionOptions(device="cpu")), most, Metrics(CollectorRegistry())
    )


def test_each_person_gets_a_look_that_says_what_it_saw() -> None:
    (looked, other) = looks().at(frame(), (box(100), box(300, label="car")))
    (look,) = looked.looks
    assert (look.kind, look.model, look.quality) == (KIND + "shade", "bright_classifier@1", 1.0)
    assert look.values["red"] > 0.9
    assert look.thresholds == {"default": 0.7}
    assert sum(look.values.values()) == pytest.approx(1, abs=1e-3)
    assert other.looks == ()


def test_doubtful_small_and_double_boxes_are_not_looked_at() -> None:
    boxes = (box(100), box(102), box(300, confidence=0.2), box(400, size=4))
    assert [len(one.looks) for one in looks().at(frame(), boxes)] == [1, 0, 0, 0]


def test_a_crowd_costs_no_more_and_everybody_has_a_turn() -> None:
    crowd = tuple(box(60.0 * k, size=50 - k) for k in range(8))
    turns = [[bool(one.looks) for one in looks(most=3).at(frame(turn), crowd)] for turn in range(6)]
    assert {sum(turn) for turn in turns} == {3}
    assert all(any(seen) for seen in zip(*turns, strict=True))
    again = [[bool(one.looks) for one in looks(most=3).at(frame(turn), crowd)] for turn in range(6)]
    assert again == turns


def test_nobody_there_decodes_nothing() -> None:
    nothing = msgspec.structs.replace(frame(), jpeg=b"not a picture")
    assert looks().at(nothing, (box(10, label="dog"),)) == (box(10, label="dog"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config's folder with the classifier's manifest and model."""
    (tmp_path / "shade.json").write_bytes(msgspec.json.encode(shade_manifest()))
    (tmp_path / "bright_classifier.onnx").write_bytes((DATA / "bright_classifier.onnx").read_bytes())
    return tmp_path


def test_the_config_says_which_cameras_boxes_and_thresholds(folder: Path) -> None:
    found = classifiers_in_service(parse(CONFIG), folder / "site.yaml")
    (setup,) = found.setups
    assert (setup.cameras, setup.boxes, setup.most) == ({"gate"}, ("person", "car"), 3)
    assert found.votes.attributes["shade"].threshold("red") == 0.7
    assert setup.wants(Camera(inputs=()))
    assert not setup.wants(Camera(inputs=(), classifiers={"shade": CameraClassifier(enabled=False)}))
    setup.check(shade_manifest())
    with pytest.raises(ModelError, match="never says `red`"):
        setup.check(shade_manifest(labels=("blue", "green", "grey")))
    opened = setup.opened_as(shade_manifest())
    assert opened.attribute is not None
    assert opened.attribute.boxes == ("person", "car")


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        (CONFIG.replace("shade: red", "shade: pink"), ConfigError, r"rules.reds.attributes.shade: `pink` is none of"),
        (CONFIG.replace("shade.json", "gone.json"), ModelError, "gone.json"),
        (CONFIG.replace("shade", "tint").replace("tint.json", "shade.json"), ConfigError, "says `shade`"),
    ],
    ids=["a value that it never says", "no file", "another name"],
)
def test_what_does_not_fit_is_refused_before_anything_starts(
    folder: Path, text: str, error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        classifiers_in_service(parse(text), folder / "site.yaml")
