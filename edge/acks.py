"""Up to where the broker has each camera's lanes, kept in a small file so that a restart sends little twice."""

from __future__ import annotations

from pathlib import Path

import msgspec

from contracts.decoding import from_json
from contracts.fields import Lane
from edge.files import replace_file

Place = tuple[int, int]


class Acks:
    """The last acknowledged (session, index) of each camera and lane.

    A lane is acknowledged in order, so one place says it all. The file may lag or be lost: frames are then sent again,
    and decide drops what is not above its lane's last place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[Lane, dict[str, Place]] = {"live": {}, "late": {}}
        self._dirty = False

    def load(self) -> None:
        """Read the file; one that is missing or torn counts as empty."""
        try:
            self._places = from_json(self._path.read_bytes(), dict[Lane, dict[str, Place]])
        except (FileNotFoundError, msgspec.MsgspecError):
            return

    def covers(self, camera: str, lane: Lane, place: Place) -> bool:
        """Whether the broker is known to have the frame."""
        last = self._places.get(lane, {}).get(camera)
        return last is not None and place <= last

    def advance(self, camera: str, lane: Lane, place: Place) -> None:
        """The broker has the frame."""
        lanes = self._places.setdefault(lane, {})
        if camera not in lanes or lanes[camera] < place:
            lanes[camera] = place
            self._dirty = True

    def save(self) -> None:
        """Write what changed since the last time; raises OSError. Not synced: see the class."""
        if self._dirty:
            self._dirty = False
            replace_file(self._path, msgspec.json.encode(self._places), sync=False)
