"""Inputs for tests: pictures, JPEGs and manifests."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from contracts.manifest import ModelInput, ModelManifest, Provenance

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
