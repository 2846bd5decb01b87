"""What models see in a kept picture: the one in service, and teachers that are too slow for the stream, fused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from archive.collection.items import SAME, Box, overlap
from contracts.manifest import load_manifest
from stream.vision.detector import detections
from stream.vision.fusion import weighted_box_fusion
from stream.vision.image import letterbox
from stream.vision.session import Session, SessionOptions

Picture = NDArray[np.uint8]

SURE, SEEN = 0.4, 0.1
"""A fused box of so much is taken as a label; below the other nothing is said of a place."""


class Sight(NamedTuple):
    """What all models see together: the boxes, and how far they are of one mind (1: all saw each box)."""

    boxes: tuple[Box, ...]
    agreement: float


class Sees(Protocol):
    """Whatever looks at pictures; `ids` name its models."""

    ids: tuple[str, ...]

    def __call__(self, picture: Picture) -> Sight:
        """Look at a picture, BGR uint8[H,W,3]."""
        ...


class Models:
    """Detectors by their manifests, opened at once; raises ModelError."""

    def __init__(self, manifests: Sequence[Path]) -> None:
        opened = [load_manifest(path) for path in manifests]
        self._sessions = [
            Session.open(one, path.parent, SessionOptions()) for one, path in zip(opened, manifests, strict=True)
        ]
        self.ids = tuple(one.id for one in opened)

    def __call__(self, picture: Picture) -> Sight:
        """See Sees."""
        found = [_seen(session, picture) for session in self._sessions]
        return fused(found, self.ids)


def fused(found: Sequence[Sequence[Box]], ids: Sequence[str]) -> Sight:
    """The boxes of several models as one list, and the share of the models that saw the box they least agree on."""
    labels = sorted({box.label for boxes in found for box in boxes})
    boxes, scores, names = weighted_box_fusion(
        [np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4) for boxes in found],
        [np.array([box.confidence for box in boxes], np.float32) for boxes in found],
        [np.array([labels.index(box.label) for box in boxes], np.int64) for boxes in found],
        [1.0] * len(found),
    )
    by = "+".join(ids)
    merged = tuple(
        Box(
            xyxy=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            label=labels[label],
            kind="pseudo",
            confidence=round(float(score), 4),
            by=by,
        )
        for box, score, label in zip(boxes, scores, names, strict=True)
    )
    return Sight(merged, min((_share(box, found) for box in merged if box.confidence >= SEEN), default=1.0))


def _share(box: Box, found: Sequence[Sequence[Box]]) -> float:
    """The share of the models that saw the box with any certainty."""
    saw = [any(overlap(box, other) >= SAME for other in boxes if other.label == box.label) for boxes in found]
    return sum(saw) / len(saw)


def decoded(jpeg: bytes) -> Picture | None:
    """The picture of a JPEG, None where it is none."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    return None if picture is None else np.asarray(picture, np.uint8)


def _seen(session: Session, picture: Picture) -> list[Box]:
    height, width = picture.shape[:2]
    side_x, side_y = session.input_size
    scale = min(side_x / width, side_y / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = letterbox(picture, size, session.input_size, session.manifest.input.letterbox)
    boxes = session.read(session.infer([canvas])[0])
    return [
        Box(xyxy=one.xyxy, label=one.label, kind="pseudo", confidence=one.confidence, by=session.manifest.id)
        for one in detections(boxes, session.label_names, size, (width, height))
    ]
