"""The cameras that want something (identities, a classifier), as the config has it and `controls` have changed it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from bus.consuming import Record
from bus.follower import Follower
from contracts.codec import decode
from contracts.config import Camera
from contracts.controls import Control, Removed, SetCamera, key
from contracts.errors import ContractError


class ChosenCameras:
    """Follows `controls`; `wants` says of a changed camera whether it is chosen. Threads may share it.

    Bad records are the decide job's to tell.
    """

    def __init__(self, site: str, chosen: Iterable[str], wants: Callable[[Camera], bool]) -> None:
        self._site = site
        self._chosen = set(chosen)
        self._wants = wants
        self._versions: dict[str, int] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._chosen

    def __len__(self) -> int:
        return len(self._chosen)

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
                case SetCamera(camera=camera, spec=spec) if spec.enabled and self._wants(spec):
                    self._chosen.add(camera)
                case SetCamera(camera=camera) | Removed(kind="camera", camera=camera):
                    self._chosen.discard(camera)
