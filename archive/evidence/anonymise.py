"""Hides the faces of whoever is on no watch-list in all that evidence keeps of cameras that anonymise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from archive.anonymise import Picture, hidden, shares, to_hide, whole
from archive.watch_list import WatchList
from contracts import metrics
from contracts.fields import Xyxy
from contracts.messages import Frame, FrameTracks
from contracts.metrics import Metrics

Faces = Callable[[Picture], Iterable[Xyxy]]
"""The faces that are found in a whole picture, as xyxy in its pixels."""


class Boxes(Protocol):
    """Where the tracks of a frame come from."""

    def of(self, frame: Frame) -> FrameTracks | None:
        """The frame's tracks; None where nobody knows them. May wait for some seconds."""
        ...


class Anonymiser:
    """A Redact. The heads of all tracks are hidden, and every face that is found beside them.

    A frame whose tracks are not known is hidden as a whole, and counted.
    """

    def __init__(
        self, covers: Callable[[str], bool], boxes: Boxes, watch_list: WatchList, faces: Faces, measured: Metrics
    ) -> None:
        self._covers = covers
        self._boxes = boxes
        self._watch_list = watch_list
        self._faces = faces
        self._metrics = measured

    def __call__(self, picture: Picture, frame: Frame) -> Picture:
        """The frame's picture as it may be kept."""
        if not self._covers(frame.camera):
            return picture
        tracks = self._boxes.of(frame)
        if tracks is None:
            self._metrics.counter(metrics.EVIDENCE_HIDDEN, frame.camera).inc()
            return whole(picture)
        faces = shares(picture, self._faces(picture))
        return hidden(picture, to_hide(tracks, faces, self._watch_list.has))
