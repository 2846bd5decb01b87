"""One explanation: the picture as the model takes it, the heat over it, and both brought back to the picture."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError, ModelError
from contracts.fields import Xyxy
from contracts.manifest import ModelManifest, model_bytes
from contracts.messages import Detection
from stream.vision.classifier import crop, squares
from stream.vision.detector import detections
from stream.vision.explain import Heat, around, box_score, class_activation, class_score, occlusion, overlay
from stream.vision.image import Picture, Size, decode, fit, jpeg_size, letterbox
from stream.vision.session import Session, SessionOptions, open_runtime

QUALITY = 85
SHOWN = 240
"""Side of a crop that is shown, px."""
OPTIONS = SessionOptions(device="cpu", intra_op_threads=1)
"""The cores belong to the jobs; a GPU has better things to do."""


class Explained(NamedTuple):
    """What was explained (for a picture's class there is no box), how, the heat over the picture, and it as a JPEG."""

    label: str
    xyxy: Xyxy | None
    method: str
    heat: Heat
    overlay: bytes


def explain_box(session: Session, jpeg: bytes, picture: Size, label: str, xyxy: Xyxy) -> Explained:
    """Where a detector sees `label` in the box, pixels of the camera's `picture`; raises ModelError, ContractError."""
    if label not in session.label_names:
        raise ModelError(f"{session.manifest.id} knows no {label}")
    image = decode(jpeg, target=picture, picture=picture)
    return _explained(session, image, picture, label, xyxy)


def explain_picture(manifest: ModelManifest, folder: Path, jpeg: bytes, label: str = "") -> Explained:
    """What a model is surest of in a picture (of `label` where that is given), and where it sees it.

    Raises ModelError where it sees nothing or is of another task, ContractError for what is no picture.
    """
    image = decode(jpeg, target=jpeg_size(jpeg))
    if manifest.task == "classifier":
        return _classified(manifest, folder, image, label)
    session = Session.open(manifest, folder, OPTIONS)
    picture: Size = (image.shape[1], image.shape[0])
    found = [one for one in seen_by(session, image, picture) if label in ("", one.label)]
    if not found:
        raise ModelError(f"{manifest.id} sees {f'no {label}' if label else 'nothing'} in this picture")
    return _explained(session, image, picture, found[0].label, found[0].xyxy)


def explain_crop(manifest: ModelManifest, folder: Path, jpeg: bytes, label: str, xyxy: Xyxy) -> Explained:
    """Where a second-stage classifier sees `label` in what it looks at of a box, pixels of the JPEG.

    Raises ModelError where it is none or knows no such label, ContractError.
    """
    if manifest.attribute is None or label not in manifest.labels:
        raise ModelError(f"{manifest.id} says nothing of {label} in a box")
    (square,) = squares(np.array([xyxy], np.float32), manifest.attribute)
    image = decode(jpeg, target=jpeg_size(jpeg))
    return _classified(manifest, folder, crop(image, square, max(SHOWN, manifest.input.width)), label)


def _explained(session: Session, image: Picture, picture: Size, label: str, xyxy: Xyxy) -> Explained:
    size = fit(picture, session.input_size)
    canvas = letterbox(image, size, session.input_size, session.manifest.input.letterbox)
    across, down = size[0] / picture[0], size[1] / picture[1]
    inside = (xyxy[0] * across, xyxy[1] * down, xyxy[2] * across, xyxy[3] * down)
    heat = occlusion(box_score(session, label, inside), canvas, around(inside, *size))
    spread = heat._replace(values=_resized(heat.values[: size[1], : size[0]], image))
    return Explained(label, xyxy, "occlusion", spread, jpeg_of(overlay(image, spread.values)))


def _classified(manifest: ModelManifest, folder: Path, image: Picture, label: str) -> Explained:
    """A classifier's last maps where it has such, else by covering parts of the picture."""
    model = model_bytes(manifest, folder)
    square = cv2.resize(image, (manifest.input.width, manifest.input.height), interpolation=cv2.INTER_AREA)
    canvas = np.asarray(square, np.uint8)
    opened = open_runtime(manifest, model, OPTIONS)
    logits = opened.run(None, {manifest.input.name: canvas[None]})[0][0]
    place = manifest.labels.index(label) if label else int(np.argmax(logits))
    score = class_score(opened, manifest, place)
    try:
        heat = Heat(class_activation(manifest, model, canvas[None], place, OPTIONS), score([canvas])[0], 2)
        method = "class activation"
    except ModelError:
        heat = occlusion(score, canvas, (0, 0, canvas.shape[1], canvas.shape[0]))
        method = "occlusion"
    spread = heat._replace(values=_resized(heat.values, image))
    return Explained(manifest.labels[place], None, method, spread, jpeg_of(overlay(image, spread.values)))


def seen_by(session: Session, image: Picture, picture: Size) -> tuple[Detection, ...]:
    """What a detector sees in a camera's `picture`, given as an image of whatever size."""
    size = fit(picture, session.input_size)
    canvas = letterbox(image, size, session.input_size, session.manifest.input.letterbox)
    return detections(session.read(session.infer([canvas])[0]), session.label_names, size, picture)


def _resized(heat: NDArray[np.float32], image: Picture) -> NDArray[np.float32]:
    made = cv2.resize(heat, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(made, np.float32)


def jpeg_of(picture: Picture) -> bytes:
    """A picture as a JPEG."""
    there, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not there:
        raise ContractError("the picture can't be encoded")
    return bytes(data.tobytes())
