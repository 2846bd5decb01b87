"""The cameras whose people are identified, as the config has it and `controls` have changed it since."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from bus.consuming import Record
from bus.follower import Follower
from contracts.codec import decode
from contracts.controls import Control, Removed, SetCamera, key
from contracts.errors import ContractError


class FaceCameras:
    """Follows `controls`; bad records are the decide job's to tell. Threads may share it."""

    def __init__(self, site: str, identified: Iterable[str]) -> None:
        self._site = site
        self._identified = set(identified)
        self._versions: dict[str, int] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._identified

    def __len__(self) -> int:
        return len(self._identified)

    def start(self, bootstrap: str, topic: str) -> None:
        """Read what the topic holds, then follow it; raises BusError."""
        Follower(bootstrap, topic, self.take).start()

    def take(self, record: Record) -> None:
        """One control: the newest word on a camera counts."""
        with contextlib.suppress(ContractError):
            control = decode(record.value or b"", Control)
            name = key(control.change)
            if control.site != self._site or control.version <= self._versions.get(name, -1):
                return
            self._versions[name] = control.version
            match control.change:
                case SetCamera(camera=camera, spec=spec) if spec.enabled and spec.faces.identify:
                    self._identified.add(camera)
                case SetCamera(camera=camera) | Removed(kind="camera", camera=camera):
                    self._identified.discard(camera)
