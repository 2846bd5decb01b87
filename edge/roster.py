"""Which cameras the agent reads: its own of the file's, as `edge-controls` have changed them since; kept on its disk.

So a start without a broker reads what was read before, and the topic's word comes again with the connection.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from contracts.assignment import cameras_of
from contracts.config import Camera, Config
from contracts.config_check import check_camera
from contracts.controls import RunCamera, StopCamera
from contracts.decoding import msgpack_decoder
from contracts.errors import ConfigError
from contracts.slots import NOBODY, slots
from edge.files import replace_file

log = logging.getLogger(__name__)

_DECODER = msgpack_decoder(dict[str, Camera | None])


class Roster:
    """The file's cameras with the changes laid over them, as `agent` has them; None: a replay, which reads all.

    `path` None keeps nothing.
    """

    def __init__(self, config: Config, path: Path | None, agent: str | None) -> None:
        self._file, self._path, self._agent = config, path, agent
        self._changed: dict[str, Camera | None] = {}

    def load(self) -> None:
        """Take up what an earlier start kept; raises OSError. What can't be read is left to the topic."""
        if self._path is None or not self._path.exists():
            return
        try:
            self._changed = _DECODER.decode(self._path.read_bytes())
        except msgspec.MsgspecError as error:
            log.error("what was kept of the cameras can't be read", extra={"file": str(self._path), "why": str(error)})

    @property
    def config(self) -> Config:
        """The config in force: cameras that were stopped are not in it."""
        cameras = {name: spec for name, spec in (self._file.cameras | self._changed).items() if spec is not None}
        return replace(self._file, cameras=cameras)

    def own(self) -> dict[str, Camera]:
        """The cameras that this agent is to read."""
        config = self.config
        if self._agent is None:
            return {name: camera for name, camera in config.cameras.items() if camera.enabled}
        return {name: config.cameras[name] for name in cameras_of(config, self._agent)}

    def take_file(self, config: Config) -> None:
        """The file says something else; what controls said stays over it."""
        self._file = config

    def take(self, change: RunCamera | StopCamera) -> bool:
        """Keep a change; whether it changed anything. Raises ValueError for what makes no sense, or OSError."""
        spec = change.spec if isinstance(change, RunCamera) else None
        if spec is not None:
            try:
                check_camera(change.camera, spec, bundled=not self._file.stream.model)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        if self.config.cameras.get(change.camera) == spec:
            return False
        changed = self._changed | {change.camera: spec}
        if self._path is not None:
            replace_file(self._path, msgspec.msgpack.encode(changed), sync=True)
        self._changed = changed
        return True

    def slots(self, held: Mapping[str, int] = NOBODY) -> dict[str, int]:
        """The slot of each camera in force: who has one in `held` keeps it, unless its own spec has another."""
        return slots(self.config, held)
