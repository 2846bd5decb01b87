"""What is shown of a live picture: all of it, or with the faces hidden of those who are on no watch-list.

Heads of tracked people are hidden in each picture. Faces beside them, of people whom the detector has not found, are
looked for LOOKS_MS apart, as that costs 20 ms: until then what was found stays hidden, with room for a step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from archive.anonymise import Picture as Pixels
from archive.anonymise import Regions, grown, hidden_jpeg, shares, to_hide
from archive.watch_list import WatchList
from console.live.wall import Picture, Place
from contracts.fields import Xyxy
from contracts.messages import FrameTracks

LOOKS_MS = 500
STEP = 0.25
"""Of a face's region on each side: so far a head moves in that time, at a walk across the picture."""


class Veil:
    """Pictures as they may be shown. Each is made once, whoever watches; threads may share it."""

    def __init__(self, watch_list: WatchList, faces: Callable[[Pixels], Iterable[Xyxy]]) -> None:
        """`faces` finds all of a picture, px."""
        self._cameras: frozenset[str] = frozenset()
        self._watch_list = watch_list
        self._faces = faces
        self._found: dict[str, tuple[int, Regions]] = {}
        self._made: dict[str, tuple[tuple[Place, bool], bytes]] = {}
        self._lock = threading.Lock()

    def know(self, cameras: frozenset[str]) -> None:
        """These cameras anonymise from now on, and no others."""
        self._cameras = cameras

    def covers(self, camera: str) -> bool:
        """Whether a camera anonymises."""
        return camera in self._cameras

    def jpeg(self, picture: Picture) -> bytes:
        """The JPEG; of a picture whose people are not known (yet) only large cells are shown. Takes some 10 ms."""
        frame, tracks = picture.frame, picture.tracks
        if not self.covers(frame.camera):
            return frame.jpeg
        key = (picture.place, tracks is not None)
        with self._lock:
            known = self._made.get(frame.camera)
        if known is not None and known[0] == key:
            return known[1]
        made = hidden_jpeg(frame.jpeg, (lambda pixels: self._regions(tracks, pixels)) if tracks is not None else None)
        with self._lock:
            self._made[frame.camera] = (key, made)
        return made

    def _regions(self, tracks: FrameTracks, pixels: Pixels) -> Regions:
        at_ms, found = self._found.get(tracks.camera, (-LOOKS_MS, ()))
        if not 0 <= tracks.captured_at_ms - at_ms < LOOKS_MS:
            found = tuple(grown(face, STEP) for face in shares(pixels, self._faces(pixels)))
            self._found[tracks.camera] = (tracks.captured_at_ms, found)
        return to_hide(tracks, found, self._watch_list.has)
