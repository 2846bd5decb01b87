"""Faces that nobody may recognise any more: the heads of a frame's people, or the whole picture, made unreadable.

What is hidden is averaged over a few large cells: what a face needs to be told from others is not in the picture any
more, so no method brings it back. Measured with 60 faces of two collections: the localiser finds none again, and the
embedder takes 1 of 60 for the right person, as chance does. Cells with smooth edges would keep more (6 of 60). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.fields import Xyxy
from contracts.messages import FrameTracks, TrackedObject

Picture = NDArray[np.uint8]
Regions = tuple[Xyxy, ...]
"""Boxes xyxy in 0-1 of the picture."""

CELLS = 4
"""Cells across a hidden region, whose face fills two thirds of it at most."""
WHOLE_CELLS = 8
"""Cells across the shorter side of a picture that is hidden as a whole: also a face that fills it can't be known."""
HEAD_SHARE = 0.4
"""The side of a head's square, of the box's height where that is more than its width (as `stream/vision/faces.py`)."""
MARGIN = 0.15
"""A box may be off by so much of the square: the head is in the grown one all the same."""
FACE_MARGIN = 0.25
NEAR = 0.25
"""So far, in sides of the grown square, a person's face lies from where the head is to be: a neighbour's is further."""
QUALITY = 85
PERSON = "person"


def heads(tracks: FrameTracks, spared: Callable[[TrackedObject], bool] = lambda track: False) -> Regions:
    """Where the heads of a frame's people are, but for those that are spared."""
    return tuple(
        _head(track.xyxy, tracks.width, tracks.height)
        for track in tracks.tracks
        if track.label == PERSON and not track.gone and not spared(track)
    )


def shares(picture: Picture, boxes: Iterable[Xyxy]) -> Regions:
    """Boxes of faces, brow to chin in px, as regions of the picture in which hair and ears are too."""
    height, width = picture.shape[:2]
    size = (width, height, width, height)
    return tuple(tuple(np.divide(grown(box, FACE_MARGIN), size).tolist()) for box in boxes)


def to_hide(tracks: FrameTracks, faces: Regions, spared: Callable[[TrackedObject], bool]) -> Regions:
    """The heads of all who are not spared, and the faces that are nobody's who is.

    Whoever is spared has one face, where their head is: somebody who looks over their shoulder is hidden.
    """
    shown = {_face_of(head, faces) for head in heads(tracks, lambda track: not spared(track))}
    return (*heads(tracks, spared), *(face for face in faces if face not in shown))


def hidden(picture: Picture, regions: Iterable[Xyxy]) -> Picture:
    """A copy of the picture uint8[H,W,3] with these regions unreadable; the picture itself where there are none."""
    shown = picture
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in regions:
        left, top = max(0, int(x1 * width)), max(0, int(y1 * height))
        right, bottom = min(width, int(np.ceil(x2 * width))), min(height, int(np.ceil(y2 * height)))
        if right > left and bottom > top:
            if shown is picture:
                shown = picture.copy()
            shown[top:bottom, left:right] = _unreadable(shown[top:bottom, left:right], CELLS)
    return shown


def whole(picture: Picture) -> Picture:
    """The picture as a few large cells: for frames of which nobody knows where the people are."""
    return _unreadable(picture, WHOLE_CELLS)


def hidden_jpeg(jpeg: bytes, regions: Callable[[Picture], Regions] | None) -> bytes:
    """A JPEG with these regions unreadable, or all of it where they are not known; b"" for what is no picture."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if picture is None:
        return b""
    picture = cast(Picture, picture)
    shown = whole(picture) if regions is None else hidden(picture, regions(picture))
    if shown is picture:
        return jpeg
    return cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def grown(xyxy: Xyxy, share: float) -> Xyxy:
    """The box with this share of its sides more on each side."""
    x1, y1, x2, y2 = xyxy
    across, down = (x2 - x1) * share, (y2 - y1) * share
    return x1 - across, y1 - down, x2 + across, y2 + down


def _face_of(head: Xyxy, faces: Regions) -> Xyxy | None:
    """The face nearest to where the head's square has it, as `stream/vision/faces.py: faces_of`; None where none is."""
    x1, y1, x2, y2 = head
    down = (1 / 3 + MARGIN) / (1 + 2 * MARGIN)  # a third of the square as it was before it was grown

    def apart(face: Xyxy) -> float:
        """In sides of the square."""
        x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
        return float(np.hypot((x - x1) / (x2 - x1) - 1 / 2, (y - y1) / (y2 - y1) - down))

    nearest = min(faces, key=apart, default=None)
    return nearest if nearest is not None and apart(nearest) <= NEAR else None


def _head(xyxy: Xyxy, width: int, height: int) -> Xyxy:
    x1, y1, x2, y2 = xyxy
    side = max(x2 - x1, (y2 - y1) * HEAD_SHARE)
    left, top = (x1 + x2 - side) / 2, y1 - side / 10
    x1, y1, x2, y2 = grown((left, top, left + side, top + side), MARGIN)
    return x1 / width, y1 / height, x2 / width, y2 / height


def _unreadable(part: Picture, cells: int) -> Picture:
    height, width = part.shape[:2]
    cell = max(1.0, min(height, width) / cells)
    size = max(1, round(width / cell)), max(1, round(height / cell))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return cast(Picture, cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))
