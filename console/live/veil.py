"""What is shown of a live picture: all of it, or with the faces hidden of those who are on no watch-list."""

from __future__ import annotations

import threading

from archive.anonymise import heads, hidden_jpeg
from archive.watch_list import WatchList
from console.live.wall import Picture, Place


class Veil:
    """Pictures as they may be shown. Each is made once, whoever watches; threads may share it."""

    def __init__(self, watch_list: WatchList) -> None:
        self._cameras: frozenset[str] = frozenset()
        self._watch_list = watch_list
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
        made = hidden_jpeg(frame.jpeg, None if tracks is None else heads(tracks, self._watch_list.has))
        with self._lock:
            self._made[frame.camera] = (key, made)
        return made
