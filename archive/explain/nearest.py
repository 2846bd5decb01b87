"""What a box looks like to the model that saw it: the boxes of the data set whose appearance is most like its own.

Vectors are kept beside the pictures, by model, so that a picture is looked at once; they go when the picture goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from archive.collection.items import SAME, Item
from archive.collection.store import VECTORS, Collection
from archive.explain.explaining import jpeg_of, seen_by
from archive.explain.question import Example, Nearest
from contracts.decoding import msgpack_decoder
from contracts.errors import ContractError, ModelError
from contracts.fields import Xyxy
from contracts.messages import Detection
from stream.geometry import iou
from stream.vision.image import Picture, Size, decode, jpeg_size
from stream.vision.session import Session

MOST = 6
AROUND = 0.2
"""Of a box's sides is shown on each side of it."""
STRIP_PX = 160
Vector = NDArray[np.float32]


class _Look(msgspec.Struct, frozen=True, array_like=True):
    """A place in a picture and how it looks: little-endian float16."""

    xyxy: Xyxy
    vector: bytes


_looks = msgpack_decoder(tuple[_Look, ...])


def vector_at(session: Session, jpeg: bytes, picture: Size, xyxy: Xyxy) -> Vector:
    """How the box (pixels of the camera's `picture`) looks to the model, a unit vector; raises ModelError."""
    if not session.manifest.embedding:
        raise ModelError(f"{session.manifest.id} gives boxes no appearance to compare")
    found = _over(xyxy, _kept(seen_by(session, decode(jpeg, target=picture, picture=picture), picture)))
    if found is None:
        raise ModelError(f"{session.manifest.id} does not see it in the picture as it is kept")
    return found


def nearest(
    collection: Collection,
    session: Session,
    vector: Vector,
    *,
    sees: Callable[[str], bool] = lambda _camera: True,
    learnt: frozenset[str] = frozenset(),
    most: int = MOST,
    most_new: int | None = None,
) -> Nearest:
    """The boxes that look most like `vector`, of cameras that somebody `sees`; at most `most_new` pictures are looked
    at for it that never were. Raises VedetteError where there is no version.
    """
    about, items = collection.load()
    shown = [item for item in items if sees(item.camera)]
    found: list[Example] = []
    looked_at, new = 0, 0
    for item in shown:
        place = f"{VECTORS}/{session.manifest.sha256[:16]}/{item.sha256}.msgpack"
        data = collection.files.read(place)
        if data is None and (most_new is None or new < most_new):
            data, new = _looked(collection, session, item), new + 1
            collection.files.write(place, data)
        if data is None:
            continue
        looked_at += 1
        found += _examples(item, _looks.decode(data), vector, item.sha256 in learnt)
    found.sort(key=lambda one: (-one.likeness, one.picture))
    return Nearest(version=about.id, pictures=len(shown), looked_at=looked_at, examples=tuple(found[:most]))


def strip(collection: Collection, examples: Sequence[Example]) -> bytes:
    """The examples' boxes with a little around them side by side, as a JPEG; empty where none is left."""
    there = [found for one in examples if (found := cut_out(collection, one)) is not None]
    return jpeg_of(np.concatenate(there, axis=1)) if there else b""


def cut_out(collection: Collection, example: Example) -> Picture | None:
    """The example's box with a little around it, STRIP_PX high; None where the picture is gone."""
    jpeg = collection.picture(example.picture)
    if jpeg is None:
        return None
    image = decode(jpeg, target=jpeg_size(jpeg))
    x1, y1, x2, y2 = example.xyxy
    across, down = AROUND * (x2 - x1), AROUND * (y2 - y1)
    top, left = max(0, round(y1 - down)), max(0, round(x1 - across))
    part = image[top : max(top + 1, round(y2 + down)), left : max(left + 1, round(x2 + across))]
    width = max(1, round(part.shape[1] * STRIP_PX / part.shape[0]))
    scaled = cv2.resize(part, (width, STRIP_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(scaled, 0, 0, 2, 2, cv2.BORDER_CONSTANT), np.uint8)


def _looked(collection: Collection, session: Session, item: Item) -> bytes:
    """What the model sees in the picture; nothing in one that is gone or broken."""
    jpeg = collection.picture(item.sha256)
    try:
        image = decode(jpeg, target=jpeg_size(jpeg)) if jpeg is not None else None
    except ContractError:
        image = None
    found = _kept(seen_by(session, image, (image.shape[1], image.shape[0]))) if image is not None else ()
    return msgspec.msgpack.encode(found)


def _kept(found: tuple[Detection, ...]) -> tuple[_Look, ...]:
    return tuple(_Look(one.xyxy, one.embedding) for one in found if one.embedding)


def _examples(item: Item, looks: tuple[_Look, ...], vector: Vector, learnt: bool) -> list[Example]:
    """The box of the picture that is most alike; [] where none was seen."""
    seen = [(box, _over(box.xyxy, looks)) for box in item.learnt]
    alike = [(float(other @ vector), box) for box, other in seen if other is not None]
    return [
        Example(
            picture=item.sha256,
            camera=item.camera,
            captured_at_ms=item.captured_at_ms,
            xyxy=box.xyxy,
            label=box.label,
            kind=box.kind,
            by=box.by,
            likeness=round(likeness, 4),
            learnt=learnt,
        )
        for likeness, box in sorted(alike, key=lambda pair: -pair[0])[:1]
    ]


def _over(xyxy: Xyxy, looks: tuple[_Look, ...]) -> Vector | None:
    """The look whose box covers this one best, and well enough to be of the same thing."""
    if not looks:
        return None
    overlaps = iou([xyxy], [one.xyxy for one in looks])[0]
    best = int(np.argmax(overlaps))
    if overlaps[best] < SAME:
        return None
    vector = np.frombuffer(looks[best].vector, "<f2").astype(np.float32)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)
