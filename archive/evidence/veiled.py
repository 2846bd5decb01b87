"""The cameras that anonymise, as the config has it and `controls` have changed it since."""

from __future__ import annotations

from collections.abc import Iterable

from bus.consuming import Record
from contracts.codec import decode
from contracts.controls import Control, SetCamera


class VeiledCameras:
    """Filled by a Follower of `controls` through `take`. Threads may share it.

    A camera that is taken away stays what it was: frames of it are still kept.
    """

    def __init__(self, site: str, cameras: Iterable[str]) -> None:
        self._site = site
        self._cameras = frozenset(cameras)
        self._versions: dict[str, int] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._cameras

    def take(self, record: Record) -> None:
        """One control: the newest word on a camera counts; raises ContractError for what is none."""
        control = decode(record.value or b"", Control)
        change = control.change
        if control.site != self._site or not isinstance(change, SetCamera):
            return
        if control.version > self._versions.get(change.camera, -1):
            self._versions[change.camera] = control.version
            others = self._cameras - {change.camera}
            self._cameras = others | {change.camera} if change.spec.faces.anonymise else others
