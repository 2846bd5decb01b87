"""One frame's JPEG to the objects in it: decode, letterbox, run, read, scale to the camera's picture."""

from __future__ import annotations

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from contracts.messages import Detection
from stream.geometry import clip_to_picture
from stream.vision import colours
from stream.vision.batcher import Batcher
from stream.vision.heads import Boxes
from stream.vision.image import Picture, Size, decode, fit, letterbox
from stream.vision.session import Session
from stream.vision.slot import ModelSlot

MOST_LOOKS = 32
"""So many boxes of a frame are looked at for their colours, the most confident: 0.1 ms each."""


class Detector:
    """Threads may share it. Frames that begin after a swap of the slot's model run on the new one."""

    def __init__(self, slot: ModelSlot, batcher: Batcher) -> None:
        self._slot = slot
        self._batcher = batcher

    def detect(
        self, jpeg: bytes, width: int, height: int, *, detail: bool = False
    ) -> tuple[tuple[Detection, ...], str]:
        """What the model in service sees, as in `look`, and the model's id."""
        session = self._slot.get()
        return self.look(session, jpeg, width, height, detail=detail), session.manifest.id

    def look(
        self, session: Session, jpeg: bytes, width: int, height: int, *, detail: bool = False
    ) -> tuple[Detection, ...]:
        """The objects in a JPEG of a camera's picture of width x height px, most confident first.

        Boxes are in pixels of the camera's picture whatever the JPEG's size, with confidences down to the manifest's
        `low_threshold`. Those of a frame of full size (`detail`) have looks at their colours. ContractError when the
        JPEG can't be decoded or has another shape than the picture.
        """
        picture, into = (width, height), session.input_size
        size = fit(picture, into) if width > 0 and height > 0 else into
        image = decode(jpeg, target=size, picture=picture)
        canvas = letterbox(image, size, into, session.manifest.input.letterbox)
        boxes = session.read(self._batcher.infer(session, canvas))
        found = detections(boxes, session.label_names, size, picture)
        return _coloured(found, image, picture) if detail else found


def detections(boxes: Boxes, names: tuple[str, ...], size: Size, picture: Size) -> tuple[Detection, ...]:
    """Boxes of a `picture` that lay `size` large in the input, as detections in its pixels, in a fixed order.

    Cut at the picture's edges; what is empty then, or no number, is dropped. Numbers are those that float32 holds,
    so that they stay the same through every encoding.
    """
    scale = np.array([picture[0] / size[0], picture[1] / size[1]] * 2)
    xyxy = clip_to_picture(boxes.xyxy * scale, *picture).astype(np.float32)
    keep = np.flatnonzero((xyxy[:, 2:] > xyxy[:, :2]).all(axis=1))  # no comparison with NaN is true
    rows: list[list[float]] = xyxy[keep].tolist()
    confidence: list[float] = boxes.confidence[keep].astype(np.float32).tolist()
    label_ids: NDArray[np.int64] = boxes.label_ids[keep]
    looks = _encoded(boxes.embeddings[keep]) if boxes.embeddings is not None else [b""] * len(keep)
    found = [
        Detection(xyxy=(x1, y1, x2, y2), confidence=sure, label=names[label_id], embedding=look)
        for (x1, y1, x2, y2), sure, label_id, look in zip(rows, confidence, label_ids.tolist(), looks, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.confidence, one.label, one.xyxy)))


def _coloured(found: tuple[Detection, ...], image: Picture, picture: Size) -> tuple[Detection, ...]:
    """The detections with looks at their colours in `image`, the decoded copy of the camera's `picture`."""
    across, down = image.shape[1] / picture[0], image.shape[0] / picture[1]
    return (
        tuple(
            structs.replace(
                one,
                looks=colours.looks(
                    image,
                    (one.xyxy[0] * across, one.xyxy[1] * down, one.xyxy[2] * across, one.xyxy[3] * down),
                    one.label,
                ),
            )
            for one in found[:MOST_LOOKS]
        )
        + found[MOST_LOOKS:]
    )


def _encoded(embeddings: NDArray[np.float32]) -> list[bytes]:
    """Each appearance [N,D] as little-endian float16; empty for a row of zeros or one that is no numbers."""
    with np.errstate(over="ignore"):  # what float16 can't hold becomes endless, and is no look
        halves = embeddings.astype("<f2")
    there = np.isfinite(halves).all(axis=1) & halves.any(axis=1)
    return [half.tobytes() if is_there else b"" for half, is_there in zip(halves, there.tolist(), strict=True)]
