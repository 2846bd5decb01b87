"""Made-up pictures and models for tests of the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from training.gate.judge import Seen
from training.gate.measure import Boxes, Picture

CAMERAS = ("gate", "hall", "yard")
LABELS = ("bag", "car", "person")
COLOURS = {"blue": (255, 0, 0), "green": (0, 255, 0), "red": (0, 0, 255)}


def scene(per_camera: int) -> list[Picture]:
    """Pictures with one to three boxes of each label, none of which touches another."""
    random = np.random.default_rng(0)
    pictures = []
    for number in range(per_camera):
        for camera in CAMERAS:
            labels = [label for label in LABELS for _ in range(random.integers(1, 4))]
            xyxy = np.array([_place(place) for place in range(len(labels))])
            pictures.append(Picture(f"{camera}-{number}", camera, Boxes(xyxy, tuple(labels), np.ones(len(labels)))))
    return pictures


def seen(
    pictures: Sequence[Picture],
    model: str,
    *,
    recall: float,
    seed: int,
    blind: tuple[str, str] | None = None,
    poisoned: float = 0.0,
    certainty: float = 0.95,
    ms: float = 10.0,
    size_bytes: int = 1000,
    thresholds: Mapping[str, float] | None = None,
) -> Seen:
    """A model that finds this share of the boxes, with one wrong box in twenty.

    It sees nothing of a (camera, label) to which it is `blind`. `poisoned`: this share of people is taken for
    background, and as much background for people. `certainty` is the score of all that it finds.
    """
    random = np.random.default_rng(seed)
    found = []
    for picture in pictures:
        rows: list[tuple[float, float, float, float]] = []
        labels: list[str] = []
        for box, label in zip(picture.truth.xyxy, picture.truth.labels, strict=True):
            people = label == "person"
            sees = random.random() < recall and (picture.camera, label) != blind
            if sees and not (people and random.random() < poisoned):
                rows.append(tuple(box))
                labels.append(label)
            if random.random() < (poisoned if people else 0.05):
                rows.append(_place(20 + len(rows)))
                labels.append(label)
        scores = certainty + random.uniform(-0.04, 0.04, len(rows))
        found.append(Boxes(np.array(rows, float).reshape(-1, 4), tuple(labels), scores))
    times_ms = np.full(len(pictures), ms)
    return Seen(model, tuple(found), times_ms, thresholds or {"default": 0.4}, size_bytes)


def bright_set(folder: Path) -> None:
    """A set for the gate: 24 pictures of two cameras with a bright box each, as tests/data's models see them, and
    COCO's annotations in set.json. The last picture is not labelled completely."""
    images, annotations = [], []
    for number in range(24):
        label = list(COLOURS)[number % 3]
        x, y = 16 * (number % 4), 16 * (number // 4 % 4)  # a cell of the model's
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[y : y + 16, x : x + 16] = COLOURS[label]
        cv2.imwrite(str(folder / f"{number}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
        camera = "gate" if number % 2 else "hall"
        images.append({"id": number, "file_name": f"{number}.jpg", "camera": camera, "complete": number < 23})
        annotations.append({"image_id": number, "category_id": number % 3, "bbox": [x, y, 16, 16]})
    categories = [{"id": n, "name": name} for n, name in enumerate(COLOURS)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "set.json").write_text(json.dumps(coco))


def _place(number: int) -> tuple[float, float, float, float]:
    return 20.0 * number, 0.0, 20.0 * number + 10, 10.0
