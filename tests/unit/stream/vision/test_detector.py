"""From a JPEG to detections: known answers, pixels of the camera's picture, and the same bytes every time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.errors import ContractError
from contracts.messages import Detection
from contracts.metrics import Metrics
from stream.vision import BatchConfig, Batcher, Detector, ModelSlot, SessionOptions
from stream.vision.detector import detections
from stream.vision.heads import Boxes
from tests.builders import COCO_LABEL_MAP, COCO_LABELS, DATA, jpeg_of, manifest_of, solid, yolox_manifest

SHARED = Path(__file__).parents[5] / "shared"
RED, GREEN = (0, 0, 250), (0, 200, 0)


def detector_of(manifest, folder=DATA, *, batcher=None):
    """A detector with this model in service, on the CPU."""
    metrics = Metrics(CollectorRegistry())
    slot = ModelSlot(SessionOptions(device="cpu"), metrics)
    slot.swap(manifest, folder)
    return Detector(slot, batcher or Batcher(BatchConfig(), metrics))


def painted(width, height, *patches):
    """A black picture with patches (x1, y1, x2, y2, bgr)."""
    picture = solid(width, height)
    for x1, y1, x2, y2, bgr in patches:
        picture[y1:y2, x1:x2] = bgr
    return picture


@pytest.fixture(scope="module")
def bright():
    return detector_of(manifest_of(DATA / "bright_boxes.onnx"))


@pytest.mark.parametrize(
    ("jpeg_size", "picture", "patch", "xyxy"),
    [
        ((64, 64), (64, 64), (16, 32, 32, 48), (16, 32, 32, 48)),  # one to one
        ((64, 48), (640, 480), (16, 32, 32, 48), (160, 320, 320, 480)),  # a scaled frame: pixels of the camera
        ((640, 480), (640, 480), (160, 320, 320, 480), (160, 320, 320, 480)),  # a full-size frame, decoded at 1/8
        ((48, 64), (480, 640), (32, 16, 48, 32), (320, 160, 480, 320)),  # upright
        # 50 rows: the last cell reaches from row 48 to 64 and is cut at the picture's edge
        ((64, 50), (64, 50), (0, 32, 16, 50), (0, 32, 16, 48)),
    ],
)
def test_a_bright_patch_is_found_where_it_is(bright, jpeg_size, picture, patch, xyxy):
    found, model = bright.detect(jpeg_of(painted(*jpeg_size, (*patch, RED))), *picture)
    assert model == "bright_boxes@1"
    assert [(one.label, one.xyxy) for one in found] == [("red", xyxy)]
    assert found[0].confidence == pytest.approx(250 / 255, abs=0.05)


@pytest.mark.parametrize("detail", [True, False])
def test_colours_are_looked_at_in_frames_of_full_size(bright, detail):
    """Of 640x480 decoded at 1/8: the patch is 16 px a side, its middle 10."""
    picture = painted(640, 480, (160, 160, 320, 320, RED))
    found, _ = bright.detect(jpeg_of(picture), 640, 480, detail=detail)
    assert [list(look.values) for look in found[0].looks] == ([["red"]] if detail else [])


def test_the_most_confident_come_first(bright):
    picture = painted(64, 64, (0, 0, 16, 16, GREEN), (32, 32, 48, 48, RED))
    found, _ = bright.detect(jpeg_of(picture), 64, 64)
    assert [one.label for one in found] == ["red", "green"]


def test_both_layouts_agree_on_a_cell():
    """The YOLOX cell of 16 px in row 1, column 2, has its centre at (32, 16)."""
    yolox = detector_of(manifest_of(DATA / "bright_yolox.onnx", nms_iou=0.1))
    found, model = yolox.detect(jpeg_of(painted(64, 64, (32, 16, 48, 32, RED))), 640, 640)
    assert model == "bright_yolox@1"
    assert (240.0, 80.0, 400.0, 240.0) in [one.xyxy for one in found]


def test_a_label_map_reaches_the_detections():
    mapped = detector_of(manifest_of(DATA / "bright_boxes.onnx", label_map={"red": "warm"}))
    picture = painted(64, 64, (0, 0, 16, 16, GREEN), (32, 32, 48, 48, RED))
    assert [one.label for one in mapped.detect(jpeg_of(picture), 64, 64)[0]] == ["warm"]


def test_the_same_jpeg_gives_the_same_bytes(bright):
    jpeg = jpeg_of(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    first = msgspec.msgpack.encode(bright.detect(jpeg, 64, 64)[0])
    assert all(msgspec.msgpack.encode(bright.detect(jpeg, 64, 64)[0]) == first for _ in range(5))


def test_a_swap_is_seen_by_the_next_frame():
    metrics = Metrics(CollectorRegistry())
    slot = ModelSlot(SessionOptions(device="cpu"), metrics)
    detector, jpeg = Detector(slot, Batcher(BatchConfig(), metrics)), jpeg_of(solid(64, 64))
    models = []
    for name in ("bright_boxes", "bright_yolox", "bright_boxes"):
        slot.swap(manifest_of(DATA / f"{name}.onnx"), DATA)
        models.append(detector.detect(jpeg, 64, 64)[1])
    assert models == ["bright_boxes@1", "bright_yolox@1", "bright_boxes@1"]


@pytest.mark.parametrize(
    ("jpeg", "width", "height"),
    [
        (b"", 64, 64),  # nothing
        (jpeg_of(solid(64, 64))[:-50], 64, 64),  # cut off
        (jpeg_of(solid(64, 64)), 64, 48),  # another shape
        (jpeg_of(solid(64, 64)), 0, 0),  # no size
        (jpeg_of(solid(64, 64)), -64, -64),  # a nonsensical one
    ],
)
def test_bad_frames_are_contract_errors(bright, jpeg, width, height):
    with pytest.raises(ContractError):
        bright.detect(jpeg, width, height)


@pytest.mark.parametrize(
    ("xyxy", "expected"),
    [
        ((10, 20, 30, 40), (20, 40, 60, 80)),  # scaled by two
        ((-10, -20, 30, 40), (0, 0, 60, 80)),  # cut at the left and the top
        ((90, 90, 120, 130), (180, 180, 200, 200)),  # cut at the right and the bottom
        ((110, 10, 120, 20), None),  # outside
        ((-20, 10, 0, 20), None),  # only its edge touches the picture
        ((30, 10, 30, 20), None),  # no width
        ((30, 40, 10, 20), None),  # inside out
        ((10, 10, np.nan, 20), None),  # no number
        ((10, 10, np.inf, 20), (20, 20, 200, 40)),  # cut like anything that is too large
        ((10, 10, 10 + 1e-7, 20), None),  # a width that float32 doesn't hold
    ],
)
def test_boxes_are_scaled_and_cut_to_the_picture(xyxy, expected):
    boxes = Boxes(np.array([xyxy], np.float32), np.array([0.9], np.float32), np.array([0]))
    found = detections(boxes, ("red",), (100, 100), (200, 200))
    assert [one.xyxy for one in found] == ([] if expected is None else [pytest.approx(expected)])


def test_the_order_does_not_depend_on_the_order_of_the_outputs():
    """Equal confidences are sorted by label, then by box."""
    rows = np.array([(0, 0, 9, 9), (5, 5, 9, 9), (1, 1, 2, 2), (0, 0, 9, 9)], np.float32)
    confidence, label_ids = np.array([0.5, 0.5, 0.7, 0.5], np.float32), np.array([1, 0, 1, 0])
    boxes = Boxes(rows, confidence, label_ids)
    forward = detections(boxes, ("a", "b"), (10, 10), (10, 10))
    assert forward == detections(boxes.where(np.array([3, 1, 0, 2])), ("a", "b"), (10, 10), (10, 10))
    assert [(one.label, one.xyxy[0]) for one in forward] == [("b", 1.0), ("a", 0.0), ("a", 5.0), ("b", 0.0)]


def test_numbers_are_those_that_float32_holds(bright):
    found, _ = bright.detect(jpeg_of(painted(64, 48, (16, 16, 32, 32, RED))), 1023, 767)
    numbers = [number for one in found for number in (*one.xyxy, one.confidence)]
    assert numbers
    assert all(type(number) is float and float(np.float32(number)) == number for number in numbers)


def test_batches_give_what_single_pictures_give(bright):
    """Forced on a CPU, where each picture of a batch is computed alone and in the same order of additions."""
    batcher = Batcher(BatchConfig(batch_max=4, batch_wait_ms=20.0, force=True), Metrics(CollectorRegistry()))
    batched = detector_of(manifest_of(DATA / "bright_boxes.onnx"), batcher=batcher)
    chance = np.random.default_rng(2)
    jpegs = [jpeg_of(cv2.resize(chance.integers(0, 256, (4, 4, 3), np.uint8), (64, 64))) for _ in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda jpeg: batched.detect(jpeg, 64, 64), jpegs))
    batcher.close()
    assert together == [bright.detect(jpeg, 64, 64) for jpeg in jpegs]
    assert any(found for found, _ in together)


def bare_yolox(session, jpeg, width, height):
    """YOLOX's own demo, box by box, without any of our code: (label, confidence, xyxy) of one picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    ratio = min(416 / image.shape[0], 416 / image.shape[1])
    resized = cv2.resize(image, (round(image.shape[1] * ratio), round(image.shape[0] * ratio)))
    padded = np.full((416, 416, 3), 114, np.uint8)
    padded[: resized.shape[0], : resized.shape[1]] = resized
    raw = session.run(None, {"images": padded.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    cells = [(s, x, y) for s in (8, 16, 32) for y in range(416 // s) for x in range(416 // s)]
    found = []
    for (stride, column, row), cell in zip(cells, raw, strict=True):
        name = COCO_LABEL_MAP.get(COCO_LABELS[int(cell[5:].argmax())])
        score = float(cell[4] * cell[5:].max())
        if score >= 0.1 and name:
            cx, cy = (cell[0] + column) * stride / ratio, (cell[1] + row) * stride / ratio
            half_w, half_h = np.exp(cell[2]) * stride / ratio / 2, np.exp(cell[3]) * stride / ratio / 2
            found.append((name, score, (cx - half_w, cy - half_h, cx + half_w, cy + half_h)))
    kept = []
    for name in {name for name, _, _ in found}:
        own = [one for one in found if one[0] == name]
        xywh = [(x1, y1, x2 - x1, y2 - y1) for _, _, (x1, y1, x2, y2) in own]
        kept += [own[at] for at in cv2.dnn.NMSBoxes(xywh, [score for _, score, _ in own], 0.0, 0.65)]
    scale = width / image.shape[1]
    limits = (width, height, width, height)
    return sorted(
        (name, score, [min(max(scale * side, 0.0), limit) for side, limit in zip(xyxy, limits, strict=True)])
        for name, score, xyxy in kept
    )


@pytest.mark.shared
def test_yolox_gives_what_its_own_demo_gives():
    """Every twentieth picture of a clip, sent at two thirds of the camera's size, against the demo's formulas."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared: the recorded clip and YOLOX-nano")
    manifest, folder = yolox_manifest(SHARED)
    detector = detector_of(manifest, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bare = onnxruntime.InferenceSession(folder / manifest.file, options, providers=["CPUExecutionProvider"])
    clip, compared = cv2.VideoCapture(str(SHARED / "data/videos/vtest_480x360.mp4")), 0
    for index in range(200):
        taken, picture = clip.read()
        assert taken
        if index % 20:
            continue
        jpeg = jpeg_of(cv2.resize(picture, (512, 384)), 85)
        ours = sorted((one.label, one.confidence, list(one.xyxy)) for one in detector.detect(jpeg, 768, 576)[0])
        theirs = bare_yolox(bare, jpeg, 768, 576)
        assert [one[:2] for one in ours] == [(name, pytest.approx(score, abs=1e-6)) for name, score, _ in theirs]
        for (_, _, our_xyxy), (_, _, their_xyxy) in zip(ours, theirs, strict=True):
            assert our_xyxy == pytest.approx(their_xyxy, abs=2e-3)
        compared += len(ours)
    assert compared > 50


def test_a_detection_is_a_message(bright):
    found, _ = bright.detect(jpeg_of(painted(64, 64, (16, 16, 32, 32, RED))), 64, 64)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=tuple[Detection, ...]) == found


def test_a_box_carries_its_appearance_as_float16_where_the_model_gives_one():
    found, _ = detector_of(manifest_of(DATA / "bright_looks.onnx", embedding=3, low_threshold=0.1)).detect(
        jpeg_of(painted(64, 64, (16, 32, 32, 48, (51, 0, 255)), (48, 0, 64, 16, (46, 38, 38)))), 64, 64
    )
    assert [one.label for one in found] == ["red", "blue"]
    assert np.frombuffer(found[0].embedding, "<f2") == pytest.approx([0.2, 0.0, 1.0], abs=0.05)
    assert found[1].embedding == b""  # below .2 the model gives zeros: no look was taken


def test_a_model_that_gives_an_appearance_may_be_read_without():
    found, _ = detector_of(manifest_of(DATA / "bright_looks.onnx")).detect(
        jpeg_of(painted(64, 64, (16, 32, 32, 48, RED))), 64, 64
    )
    assert [one.embedding for one in found] == [b""]


def test_an_appearance_that_is_no_number_is_none():
    looks = np.array([[np.nan, 1.0], [1e9, 0.0], [0.6, 0.8]], np.float32)  # 1e9 is endless in float16
    boxes = Boxes(
        np.array([[0, 0, 8, 8]] * 3, np.float32), np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, np.int64), looks
    )
    found = detections(boxes, ("red",), (64, 64), (64, 64))
    assert [len(one.embedding) for one in found] == [0, 0, 4]
