"""Each camera's session: a number that only grows, whichever of a site's agents reads the camera; kept on the disk.

decide drops frames whose place, (session, index), is not above the camera's last. So the number also says whose word
counts while two agents send one camera: it begins at the time (ms) at which the camera was given to its agent, and each
start of that agent adds one. Who gets the camera next begins at a later time, which no number of starts catches up
with, and who had it before, away or not told yet, stays behind. One whose disk was lost begins when it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import msgspec

from contracts.assignment import SESSION_AHEAD_MS
from contracts.decoding import json_decoder
from edge.files import replace_file

log = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True):
    """A camera's last session here. `afresh`: it isn't read here now, and the next one begins with the clock."""

    session: int
    afresh: bool = False


_DECODER = json_decoder(dict[str, _Kept])
_NOTHING = _Kept(0, afresh=True)


class Sessions:
    """The sessions of one agent's cameras in the file `path`. `fixed` is the session of all, and nothing is kept."""

    def __init__(self, path: Path, fixed: int | None = None) -> None:
        self._path, self._fixed = path, fixed
        self._kept: dict[str, _Kept] = {}
        self._begun: set[str] = set()

    def load(self) -> None:
        """Take up what an earlier start kept; raises OSError. Of a file that can't be read nothing is known."""
        if self._fixed is not None or not self._path.exists():
            return
        try:
            self._kept = _DECODER.decode(self._path.read_bytes())
        except msgspec.MsgspecError as error:
            log.error("the sessions can't be read", extra={"file": str(self._path), "why": str(error)})

    def of(self, camera: str, now_ms: int) -> int:
        """The session of a camera that is read: a new one for this start, on the disk by then. Raises OSError."""
        if self._fixed is not None:
            return self._fixed
        if camera not in self._begun:
            kept = self._kept.get(camera, _NOTHING)
            if kept.session > now_ms + SESSION_AHEAD_MS:
                kept = _NOTHING  # of a clock that was wrong: no frame of it was taken
            self._keep(camera, _Kept(max(kept.session + 1, now_ms if kept.afresh else 0)))
            self._begun.add(camera)
        return self._kept[camera].session

    def raise_to(self, camera: str, session: int) -> bool:
        """Have no lower session of a camera from now on; whether that changed anything. Raises OSError."""
        kept = self._kept.get(camera, _NOTHING)
        if self._fixed is not None or kept.session >= session:
            return False
        self._keep(camera, _Kept(session, afresh=kept.afresh))
        return True

    def give_up_others(self, own: Collection[str]) -> None:
        """Cameras that became another's while the agent was away are read here no more either; raises OSError."""
        for camera in self._kept.keys() - set(own):
            self.give_up(camera)

    def give_up(self, camera: str) -> None:
        """The camera is read here no more; raises OSError."""
        self._begun.discard(camera)
        kept = self._kept.get(camera)
        if kept is not None and not kept.afresh:
            self._keep(camera, _Kept(kept.session, afresh=True))

    def _keep(self, camera: str, kept: _Kept) -> None:
        kept_now = self._kept | {camera: kept}
        replace_file(self._path, msgspec.json.encode(kept_now), sync=True)
        self._kept = kept_now
