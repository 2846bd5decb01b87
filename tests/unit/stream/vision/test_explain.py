"""Heat maps: they show the reason, also on real pictures, are the same each time; and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.errors import ModelError
from contracts.manifest import load_manifest
from stream.vision import onnx_graph
from stream.vision.detector import detections
from stream.vision.explain import (
    OcclusionConfig,
    around,
    box_score,
    class_activation,
    class_score,
    grid_of,
    occlusion,
    overlay,
)
from stream.vision.image import fit, letterbox
from stream.vision.session import Session, SessionOptions, open_runtime
from tests.builders import DATA, manifest_of, solid
from tests.faithfulness import falls, lost, most_important, random_regions

CPU = SessionOptions(device="cpu")
SHARED = Path(__file__).parents[5] / "shared" / "data"
BUNDLED = Path(__file__).parents[4] / "models"


def classifier_of(name):
    path = DATA / f"{name}.onnx"
    return manifest_of(path, task="classifier"), path.read_bytes()


def lamp(x, y, side=16, colour=(0, 0, 255)):
    """A black picture of 64x64 with one bright square."""
    picture = solid(64, 64)
    picture[y : y + side, x : x + side] = colour
    return picture


def test_the_lamp_is_the_reason_for_its_box() -> None:
    session = Session.open(manifest_of(DATA / "bright_boxes.onnx"), DATA, CPU)
    picture, window = lamp(32, 16), (0, 0, 64, 64)
    score = box_score(session, "red", (32, 16, 48, 32))
    heat = occlusion(score, picture, window)
    assert heat.score == pytest.approx(1.0)
    y, x = np.unravel_index(heat.values.argmax(), heat.values.shape)
    assert (32 <= x < 48, 16 <= y < 32) == (True, True)
    hot = most_important(heat.values, window, 0.06)
    random = [lost(score, picture, mask) for mask in random_regions((64, 64), window, 0.06, 20)]
    assert lost(score, picture, hot) > max(0.5, *random) - 1e-6
    again = occlusion(score, picture, window)
    assert (again.values == heat.values).all()


def test_the_number_of_runs_is_known_beforehand() -> None:
    session = Session.open(manifest_of(DATA / "bright_boxes.onnx"), DATA, CPU)
    shown = []

    def counted(pictures):
        shown.append(len(pictures))
        return box_score(session, "red", (32, 16, 48, 32))(pictures)

    heat = occlusion(counted, lamp(32, 16), (16, 0, 56, 40), OcclusionConfig(cells=25, batch=4))
    assert (sum(shown), max(shown), heat.runs) == (26, 4, 26)
    assert heat.values[:, :16].max() == 0, "outside the window nothing is looked at"


def test_what_is_not_there_has_no_reason() -> None:
    session = Session.open(manifest_of(DATA / "bright_boxes.onnx"), DATA, CPU)
    heat = occlusion(box_score(session, "blue", (32, 16, 48, 32)), lamp(32, 16), (0, 0, 64, 64))
    assert (heat.score, heat.values.max()) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("size", "cells", "grid"),
    [((100, 100), 100, (10, 10)), ((50, 200), 100, (5, 20)), ((2, 500), 100, (2, 50)), ((500, 3), 99, (33, 3))],
)
def test_cells_are_about_square_and_never_smaller_than_a_pixel(size, cells, grid) -> None:
    assert grid_of(*size, cells) == grid


def test_the_window_stays_within_the_picture() -> None:
    assert around((10.5, 10.5, 50.5, 90.5), 64, 64) == (0, 0, 61, 64)


@pytest.mark.parametrize("name", ["bright_classifier", "bright_bent"])
def test_class_activation_shows_where_the_class_is(name) -> None:
    """One red and one blue lamp; behind `bent` nothing is linear, so both show, by the first principal component."""
    manifest, model = classifier_of(name)
    picture = lamp(8, 8)
    picture[40:48, 40:48] = (255, 0, 0)
    heat = class_activation(manifest, model, picture[None], manifest.labels.index("red"), CPU)
    assert heat.shape == (8, 8)
    assert np.unravel_index(heat.argmax(), heat.shape) in [(1, 1), (1, 2), (2, 1), (2, 2)]
    if name == "bright_classifier":
        assert heat[5, 5] == 0
        blue = class_activation(manifest, model, picture[None], manifest.labels.index("blue"), CPU)
        assert np.unravel_index(blue.argmax(), blue.shape) == (5, 5)


def test_deleting_what_a_class_activation_shows_costs_more_than_deleting_anything_else() -> None:
    manifest, model = classifier_of("bright_classifier")
    score = class_score(open_runtime(manifest, model, CPU), manifest, manifest.labels.index("red"))
    picture, window = lamp(8, 8), (0, 0, 64, 64)
    heat = cv2.resize(class_activation(manifest, model, picture[None], 2, CPU), (64, 64))
    random = [lost(score, picture, mask) for mask in random_regions((64, 64), window, 0.06, 20)]
    assert lost(score, picture, most_important(heat, window, 0.06)) > max(random) - 1e-6 > 0


def test_a_model_without_averaged_maps_has_no_class_activation() -> None:
    manifest, model = manifest_of(DATA / "bright_boxes.onnx"), (DATA / "bright_boxes.onnx").read_bytes()
    with pytest.raises(ModelError, match="no maps are averaged"):
        class_activation(manifest, model, solid(64, 64)[None], 0, CPU)


def test_an_output_more_leaves_the_others_as_they_are() -> None:
    manifest, model = classifier_of("bright_classifier")
    picture = lamp(8, 8)[None]
    before = open_runtime(manifest, model, CPU).run(None, {"images": picture})
    logits, maps = open_runtime(manifest, onnx_graph.exposed(model, "maps"), CPU).run(None, {"images": picture})
    assert (logits == before[0]).all()
    assert maps.shape == (1, 3, 8, 8)


def test_a_constant_may_be_written_with_16_bits() -> None:
    """As `training.quantise` leaves a classifier's last layer."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    values = np.array([[1, -2, 0.5], [3, 0, 8]], np.float16)
    cast = field(1, b"weight/half") + field(2, b"weight") + field(4, b"Cast")
    dims, float16 = bytes([1 << 3, 2, 1 << 3, 3]), bytes([2 << 3, 10])
    tensor = dims + float16 + field(8, b"weight/half") + field(9, values.tobytes())
    model = field(7, field(1, cast) + field(5, tensor))
    found = onnx_graph.constant(model, "weight")
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.float32, values.tolist())
    assert onnx_graph.constant(model, "another") is None


@pytest.mark.parametrize("data", [b"", b"no model", b"\xff" * 40, bytes([7 << 3 | 2, 100, 1])])
def test_what_is_no_onnx_file_is_refused(data) -> None:
    with pytest.raises(ModelError, match="no ONNX file"):
        onnx_graph.nodes(data)


def test_the_overlay_is_grey_where_there_is_no_reason() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    heat = np.zeros((48, 64), np.float32)
    heat[:, 32:] = 1
    shown = overlay(picture, heat)
    assert (shown[:, :30].min(axis=2) == shown[:, :30].max(axis=2)).all()
    assert (shown[:, 34:].max(axis=2) > shown[:, 34:].min(axis=2)).all()


@pytest.mark.shared
def test_on_real_pictures_the_hottest_part_counts_for_more_than_others_of_its_size() -> None:
    manifest = load_manifest(BUNDLED / "detector.json")
    session = Session.open(manifest, BUNDLED, CPU)
    ahead = []
    for path in sorted((SHARED / "detection" / "PennFudanPed" / "PNGImages").glob("*.png"))[::10]:
        image = cv2.imread(str(path))
        picture = (image.shape[1], image.shape[0])
        size = fit(picture, session.input_size)
        canvas = letterbox(image, size, session.input_size, manifest.input.letterbox)
        first = detections(session.read(session.infer([canvas])[0]), session.label_names, size, size)[0]
        window, score = around(first.xyxy, *size), box_score(session, first.label, first.xyxy)
        heat = occlusion(score, canvas, window, OcclusionConfig(cells=64))
        ahead.append(falls(score, canvas, window, heat.values))
    assert all(hot > random for hot, random in ahead), ahead
    assert sum(hot for hot, _ in ahead) > 1.3 * sum(random for _, random in ahead), ahead
