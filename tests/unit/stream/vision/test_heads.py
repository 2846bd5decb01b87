"""Raw outputs in, boxes out: both layouts, label maps and suppression, against a slow and plain reading."""

import numpy as np
import pytest

from contracts.errors import ModelError
from contracts.manifest import ModelInput
from stream.vision.heads import MAX_CANDIDATES, Boxes, BoxesHead, Labels, YoloxHead, suppress
from tests.builders import DATA, manifest_of, solid


def head(layout="yolox", **changes):
    """A head for 64x64 pictures and the labels blue, green and red."""
    manifest = manifest_of(DATA / f"bright_{layout}.onnx", **changes)
    return (YoloxHead if layout == "yolox" else BoxesHead)(manifest, Labels(manifest))


def raw_yolox(*cells):
    """[84, 8] with (cell, x, y, log w, log h, objectness, scores...) in some cells."""
    raw = np.zeros((84, 8), np.float32)
    for place, *values in cells:
        raw[place] = values
    return (raw,)


def boxes(*rows):
    """Boxes from (x1, y1, x2, y2, confidence, label id)."""
    array = np.array(rows, np.float32).reshape(-1, 6)
    return Boxes(array[:, :4], array[:, 4], array[:, 5].astype(np.int64))


@pytest.mark.parametrize(
    ("label_map", "names", "of_class"),
    [
        ({}, ("blue", "green", "red"), [0, 1, 2]),  # no map: all as they are
        ({"red": "warm"}, ("warm",), [-1, -1, 0]),  # what is not named is dropped
        ({"blue": "cold", "green": "cold", "red": "red"}, ("cold", "red"), [0, 0, 1]),  # two become one
    ],
)
def test_labels_are_renamed_merged_and_dropped(label_map, names, of_class):
    labels = Labels(manifest_of(DATA / "bright_boxes.onnx", label_map=label_map))
    assert labels.names == names
    assert labels.of_class.tolist() == of_class


def test_a_map_of_labels_that_the_model_has_not_is_refused():
    with pytest.raises(ModelError, match=r"bright_boxes@1: label_map names pink"):
        Labels(manifest_of(DATA / "bright_boxes.onnx", label_map={"pink": "red"}))


@pytest.mark.parametrize(
    ("cell", "xyxy"),
    [
        ((0, 0.0, 0.0, 0.0, 0.0), [-4, -4, 4, 4]),  # first cell of the grid of 8: its corner is the centre
        ((9, 0.5, 0.5, 0.0, 0.0), [8, 8, 16, 16]),  # second row, second column
        ((63, 0.5, 0.5, np.log(2), 0.0), [52, 56, 68, 64]),  # last cell of the grid of 8, twice as wide
        ((64 + 5, 0.5, 0.5, 0.0, 0.0), [16, 16, 32, 32]),  # the grid of 16
        ((64 + 16 + 3, 0.5, 0.5, 0.0, 0.0), [32, 32, 64, 64]),  # the grid of 32
    ],
)
def test_yolox_cells_become_boxes(cell, xyxy):
    found = head().read(raw_yolox((*cell, 1.0, 0.1, 0.2, 0.9)))
    assert found.xyxy[0] == pytest.approx(xyxy, abs=1e-4)
    assert found.confidence == pytest.approx([0.9])
    assert found.label_ids.tolist() == [2]


@pytest.mark.parametrize(
    ("objectness", "scores", "count"),
    [
        (1.0, (0.5, 0.0, 0.0), 1),  # the least that counts
        (0.7, (0.7, 0.0, 0.0), 0),  # the product is below
        (0.49, (1.0, 0.0, 0.0), 0),  # objectness alone is below
        (np.nan, (1.0, 1.0, 1.0), 0),  # not a number
        (1.0, (np.nan, 1.0, 1.0), 0),
    ],
)
def test_yolox_keeps_what_is_sure_enough(objectness, scores, count):
    assert len(head().read(raw_yolox((9, 0, 0, 0, 0, objectness, *scores))).xyxy) == count


def test_a_label_that_is_dropped_takes_its_box_along():
    found = head(label_map={"red": "red"}).read(raw_yolox((9, 0, 0, 0, 0, 1.0, 0.9, 0.0, 0.8)))
    assert len(found.xyxy) == 0


def test_merged_labels_suppress_each_other():
    pair = raw_yolox((9, 0, 0, 0, 0, 1.0, 0.9, 0.0, 0.0), (10, -1, 0, 0, 0, 1.0, 0.0, 0.8, 0.0))
    assert head().read(pair).label_ids.tolist() == [0, 1]
    merged = {"blue": "cold", "green": "cold"}
    assert head(label_map=merged).read(pair).confidence == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ((0, 0, 500.0, 0), 1),  # a size that overflows: cut
        ((0, 0, 500.0, 500.0), 1),  # an area that would
        ((0, 0, np.inf, -np.inf), 1),  # endlessly wide, no height
        ((np.inf, -1e38, 0, 0), 1),  # far outside
        ((np.nan, 0, 0, 0), 0),  # nowhere
        ((0, 0, 0, np.nan), 0),
    ],
)
def test_wild_numbers_are_cut_or_dropped_and_no_warning(cell, count):
    pair = raw_yolox((9, *cell, 1.0, 1.0, 0, 0), (50, *cell, 1.0, 0.0, 1.0, 0))
    found = head().read(pair)
    assert len(found.xyxy) == 2 * count
    assert np.isfinite(found.xyxy).all()


def test_yolox_reads_as_a_plain_loop_does():
    """The formula of `demo_postprocess` and greedy suppression, one cell after the other."""
    chance = np.random.default_rng(3)
    raw = np.concatenate((chance.normal(0, 0.5, (84, 4)), chance.uniform(0, 1, (84, 4))), axis=1).astype(np.float32)
    expected = []
    cells = [(stride, x, y) for stride in (8, 16, 32) for y in range(64 // stride) for x in range(64 // stride)]
    for (stride, column, row), (x, y, w, h, objectness, *scores) in zip(cells, raw.tolist(), strict=True):
        label, score = int(np.argmax(scores)), objectness * max(scores)
        cx, cy, half_w, half_h = (
            (x + column) * stride,
            (y + row) * stride,
            np.exp(w) * stride / 2,
            np.exp(h) * stride / 2,
        )
        if score >= 0.2:
            expected.append((score, (cx - half_w, cy - half_h, cx + half_w, cy + half_h), label))
    expected.sort(reverse=True)
    kept = []
    for score, box, label in expected:
        if all(other_label != label or plain_iou(box, other) <= 0.3 for _, other, other_label in kept):
            kept.append((score, box, label))
    found = head(low_threshold=0.2, nms_iou=0.3).read((raw,))
    assert 10 < len(kept) < len(expected)
    assert found.confidence == pytest.approx([score for score, _, _ in kept], abs=1e-6)
    assert found.xyxy == pytest.approx(np.array([box for _, box, _ in kept]), abs=1e-3)
    assert found.label_ids.tolist() == [label for _, _, label in kept]


def plain_iou(a, b):
    """Intersection over union of two boxes."""
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_only_so_many_boxes_enter_suppression():
    wide = head(input=ModelInput(name="images", width=320, height=320), nms_iou=1.0)
    raw = np.zeros((2100, 8), np.float32)
    raw[:, 4:6] = np.linspace(0.9, 1.0, 2100)[:, None]
    found = wide.read((raw,))
    assert len(found.xyxy) == MAX_CANDIDATES
    assert found.confidence.min() == pytest.approx(raw[2100 - MAX_CANDIDATES, 4] ** 2)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([], []),  # nothing
        ([(0, 0, 10, 10, 0.9, 0)], [0]),  # alone
        ([(0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 0)], [0]),  # the same box twice
        ([(0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 1)], [0, 1]),  # the same box of another label
        ([(0, 0, 10, 10, 0.9, 0), (0, 5, 10, 15, 0.8, 0)], [0, 1]),  # a third in common: below .5
        ([(0, 0, 10, 10, 0.9, 0), (0, 0, 10, 5, 0.8, 0)], [0, 1]),  # exactly .5 stays
        # the second is suppressed by the first and therefore doesn't suppress the third
        ([(0, 0, 10, 10, 0.9, 0), (0, 3, 10, 13, 0.8, 0), (0, 6, 10, 16, 0.7, 0)], [0, 2]),
        ([(5, 5, 5, 5, 0.9, 0), (5, 5, 5, 5, 0.8, 0)], [0, 1]),  # empty boxes share nothing
    ],
)
def test_suppression(rows, kept):
    assert suppress(boxes(*rows), 0.5).tolist() == kept


@pytest.mark.parametrize(
    ("scores", "classes", "label_ids"),
    [
        ([0.9, 0.5, 0.4], [0, 1, 2], [0, 1]),  # the third is not sure enough
        ([0.9, 0.9, 0.9], [2, -1, 0], [2, 0]),  # -1 is no box
        ([0.0, 0.0, 0.0], [7, 7, 7], []),  # what is not sure needs no label
        ([np.nan, 0.9, 0.9], [0, 1, -1], [1]),  # not a number
    ],
)
def test_boxes_are_taken_as_they_are(scores, classes, label_ids):
    xyxy = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = head("boxes").read((xyxy, np.array(scores, np.float32), np.array(classes)))
    assert found.label_ids.tolist() == label_ids


def test_a_class_without_a_label_is_a_fault_of_the_model():
    with pytest.raises(ModelError, match="gave class 3, the manifest has 3"):
        head("boxes").read((np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([3])))


def test_a_dropped_class_of_boxes():
    some = (np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.array([0, 2]))
    assert head("boxes", label_map={"red": "warm"}).read(some).label_ids.tolist() == [0]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("channels", "first"), [("bgr", 1), ("rgb", 3)])
def test_the_input_has_the_channels_and_the_order_that_the_manifest_says(channels, first, count):
    entry = ModelInput(name="images", width=64, height=64, channels=channels)
    pictures = [solid(64, 64, (1, 2, 3))] * count
    whole = head("boxes", input=entry).feed(pictures)
    assert (whole.shape, whole.dtype, whole[-1, 0, 0, 0]) == ((count, 64, 64, 3), np.uint8, first)
    planes = head("yolox", input=entry).feed(pictures)
    assert (planes.shape, planes.dtype, planes[-1, 0, 0, 0]) == ((count, 3, 64, 64), np.float32, first)


def test_yolox_wants_sides_that_its_grids_divide():
    with pytest.raises(ModelError, match="400x416 is no multiple of 32"):
        head(input=ModelInput(name="images", width=400, height=416))
