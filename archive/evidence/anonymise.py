"""Hides the faces of whoever is on no watch-list in all that evidence keeps of cameras that anonymise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from archive.anonymise import Picture, Regions, grown, heads, hidden, whole
from archive.watch_list import WatchList
from contracts.fields import Xyxy
from contracts.messages import Frame, FrameTracks

FACE_MARGIN = 0.25
"""A found face's box is from brow to chin: hair and ears are in the grown one."""

Faces = Callable[[Picture], Iterable[Xyxy]]
"""The faces that are found in a whole picture, as xyxy in its pixels."""


class Boxes(Protocol):
    """Where the tracks of a frame come from."""

    def of(self, frame: Frame) -> FrameTracks | None:
        """The frame's tracks; None where nobody knows them. May wait for some seconds."""
        ...


class Anonymiser:
    """A Redact. The heads of all tracks are hidden, and every face that is found beside them.

    A frame whose tracks are not known is hidden as a whole.
    """

    def __init__(self, covers: Callable[[str], bool], boxes: Boxes, watch_list: WatchList, faces: Faces) -> None:
        self._covers = covers
        self._boxes = boxes
        self._watch_list = watch_list
        self._faces = faces

    def __call__(self, picture: Picture, frame: Frame) -> Picture:
        """The frame's picture as it may be kept."""
        if not self._covers(frame.camera):
            return picture
        tracks = self._boxes.of(frame)
        if tracks is None:
            return whole(picture)
        watched = heads(tracks, lambda track: not self._watch_list.has(track))
        found = [face for face in self._found(picture) if not _within(face, watched)]
        return hidden(picture, (*heads(tracks, self._watch_list.has), *found))

    def _found(self, picture: Picture) -> Regions:
        height, width = picture.shape[:2]
        size = (width, height, width, height)
        return tuple(tuple(np.divide(grown(face, FACE_MARGIN), size).tolist()) for face in self._faces(picture))


def _within(face: Xyxy, regions: Regions) -> bool:
    x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
    return any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in regions)
