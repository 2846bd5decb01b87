"""Inputs for tests: pictures, JPEGs and manifests."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from contracts.manifest import Attribute, ModelInput, ModelManifest, Provenance

DATA = Path(__file__).parent / "data"

_COCO = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
)
COCO_LABELS = tuple(_COCO.split())
COCO_LABEL_MAP = {
    label: label for label in ("person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "cat")
} | dict.fromkeys(("backpack", "handbag", "suitcase"), "bag")


def jpeg_of(image, quality=95):
    """BGR uint8[H,W,3] as JPEG bytes."""
    ok, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return encoded.tobytes()


def manifest_of(path, **changes):
    """The manifest of one of the tiny models in tests/data (see make_models.py), or of a changed copy of one."""
    values = {
        "name": path.stem,
        "version": "1",
        "task": "detector",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": ModelInput(name="images", width=64, height=64, letterbox=0),
        "labels": ("blue", "green", "red"),
        "layout": "yolox" if "yolox" in path.stem else "boxes",
        "low_threshold": 0.5,
        "provenance": Provenance(licence="Apache-2.0"),
    }
    return ModelManifest(**(values | changes))


def shade_manifest(**changes):
    """The manifest of the tiny classifier: which of blue, green and red what it sees is."""
    values = {
        "task": "classifier",
        "thresholds": {"default": 0.7},
        "attribute": Attribute(name="shade", least_side=8),
    }
    return manifest_of(DATA / "bright_classifier.onnx", **(values | changes))


def yolox_manifest(shared: Path) -> tuple[ModelManifest, Path]:
    """The manifest of YOLOX-nano in the recorded data, and its folder: 416x416, COCO's labels mapped to ours."""
    folder = shared / "data" / "weights"
    manifest = manifest_of(
        folder / "yolox_nano.onnx",
        name="yolox-nano",
        version="0.1.1",
        input=ModelInput(name="images", width=416, height=416),
        labels=COCO_LABELS,
        layout="yolox",
        label_map=COCO_LABEL_MAP,
        low_threshold=0.1,
    )
    return manifest, folder


def solid(width, height, bgr=(0, 0, 0)):
    """A picture of one colour."""
    return np.full((height, width, 3), bgr, np.uint8)


def drawn_face(picture, centre, height):
    """A face as a child paints it, with shades: enough for the localiser, and nobody's."""
    x, y = centre
    unit = height / 100
    half = round(38 * unit), round(50 * unit)
    cv2.ellipse(picture, (x, y - round(8 * unit)), (half[0] + 4, half[1] + 4), 0, 0, 360, (30, 40, 50), -1)  # hair
    cv2.ellipse(picture, (x, y), half, 0, 0, 360, (130, 165, 215), -1)
    for side in (-1, 1):
        eye = x + round(side * 16 * unit), y - round(10 * unit)
        cv2.ellipse(picture, eye, (round(8 * unit), round(4 * unit)), 0, 0, 360, (235, 235, 235), -1)
        cv2.circle(picture, eye, max(1, round(3.5 * unit)), (40, 30, 20), -1)
        brow = eye[0], eye[1] - round(8 * unit)
        cv2.ellipse(picture, brow, (round(10 * unit), max(1, round(2 * unit))), 0, 0, 360, (40, 50, 60), -1)
    nose = x, y + round(10 * unit)
    cv2.ellipse(picture, nose, (round(6 * unit), round(4 * unit)), 0, 0, 360, (100, 135, 190), -1)
    cv2.ellipse(picture, (x, y + round(27 * unit)), (round(14 * unit), round(4 * unit)), 0, 0, 360, (80, 80, 170), -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)
