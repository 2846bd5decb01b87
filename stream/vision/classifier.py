"""Second-stage classifiers: boxes of a picture in, what each shows out, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ModelError
from contracts.manifest import Attribute, ModelManifest, model_bytes
from stream.vision.faces import Floats, Numbers, cut, head_squares, open_for_pictures, worthwhile
from stream.vision.image import Picture, Size, decode
from stream.vision.session import SessionOptions

HEAD_SHARE = 0.4
"""As the face models look at heads (FaceConfig)."""


class Seen(NamedTuple):
    """What one box shows: the square that was looked at (px of the picture), its side in px of the JPEG, and the
    probability of each label."""

    xyxy: tuple[float, float, float, float]
    side: float
    probabilities: dict[str, float]


class Classifier:
    """An opened classifier. Threads may share it."""

    def __init__(self, manifest: ModelManifest, attribute: Attribute, opened: Any) -> None:
        self.manifest = manifest
        self.attribute = attribute
        self.provider: str = opened.get_providers()[0]
        self._opened = opened

    @classmethod
    def open(cls, manifest: ModelManifest, folder: Path, options: SessionOptions) -> Classifier:
        """Read the model from `folder`, hold it against its manifest and run it once; raises ModelError."""
        if manifest.attribute is None:
            raise ModelError(f"{manifest.id}: names no attribute, so it can't be a second stage")
        if manifest.input.width != manifest.input.height:
            raise ModelError(f"{manifest.id}: takes {manifest.input.width}x{manifest.input.height} px, not a square")
        opened = open_for_pictures(manifest, model_bytes(manifest, folder), options, "classifier", ("logits",))
        classifier = cls(manifest, manifest.attribute, opened)
        side = manifest.input.width
        try:
            found = classifier.probabilities([np.full((side, side, 3), 114, np.uint8)] * 2)
        except Exception as error:  # onnxruntime's errors have no common public base
            raise ModelError(f"{manifest.id}: does not run pictures of {side}x{side}: {error}") from error
        if found.shape != (2, len(manifest.labels)):
            raise ModelError(f"{manifest.id}: gives {list(found.shape)} for two pictures of {manifest.labels}")
        return classifier

    def probabilities(self, crops: Sequence[Picture]) -> Floats:
        """The labels' probabilities float32[N,C] of crops uint8[S,S,3] BGR, in one batch."""
        if not crops:
            return np.zeros((0, len(self.manifest.labels)), np.float32)
        logits = self._opened.run(["logits"], {self.manifest.input.name: np.stack(crops)})[0]
        scaled = np.asarray(logits, np.float64) / self.attribute.temperature
        powers = np.exp(scaled - scaled.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def worth(self, boxes: Floats, most: int, turn: int) -> NDArray[np.int64]:
        """Places of boxes (xyxy [N,4], px) that are large enough, at most `most`: the largest, and others by turns."""
        return worthwhile(squares(boxes, self.attribute), most, self.attribute.least_side, turn)

    def look_in(self, jpeg: bytes, picture: Size, boxes: Floats) -> list[Seen]:
        """What boxes (xyxy [N,4], px of the camera's picture of (width, height)) show in its JPEG, of whatever size.

        Raises ContractError for a JPEG that can't be decoded.
        """
        if not len(boxes):
            return []
        image = decode(jpeg, target=picture, picture=picture)
        scale = image.shape[1] / picture[0]
        within = squares(np.asarray(boxes, np.float32) * np.float32(scale), self.attribute)
        side = self.manifest.input.width
        found = self.probabilities([crop(image, square, side) for square in within])
        return [
            Seen(
                xyxy=_numbers(square / scale),
                side=float(square[2] - square[0]),
                probabilities=dict(zip(self.manifest.labels, map(float, row), strict=True)),
            )
            for square, row in zip(within, found, strict=True)
        ]


def squares(boxes: Floats, attribute: Attribute) -> Floats:
    """The square xyxy [N,4] of each box that the attribute is seen in; corners are whole pixels."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    if attribute.part == "head":
        boxes = head_squares(boxes, HEAD_SHARE)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = np.round((boxes[:, 2:] - boxes[:, :2]).max(1, initial=0) * (1 + 2 * attribute.margin))
    corners = np.round(middles - sides[:, None] / 2)
    return np.asarray(np.concatenate((corners, corners + sides[:, None]), 1), np.float32)


def crop(picture: Picture, square: Numbers, side: int) -> Picture:
    """The square of a picture uint8[H,W,3] as uint8[S,S,3], grey where it lies beyond the picture."""
    return cut(picture, square, side, 114)


def _numbers(square: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = square.tolist()
    return x1, y1, x2, y2
