"""Which changes are in force at a frame's time: a broadcast races with the frames, so each says from when on it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from contracts.config import Camera, Config, Objects
from contracts.controls import Control, Removed, SetCamera, key
from contracts.errors import ContractError
from stream.rules.model import CameraRules, compile_rules

_GONE = Camera(inputs=(), enabled=False, objects=Objects(track=()))


def due(controls: Iterable[Control], at_ms: int) -> tuple[Control, ...]:
    """The controls in force at `at_ms`, in the order in which they apply to `CameraRules.changed`.

    Of each thing the highest version that is effective counts; a later one that still waits leaves it in force.
    """
    newest: dict[str, Control] = {}
    for control in controls:
        name = key(control.change)
        known = newest.get(name)
        if control.effective_from_ms <= at_ms and (known is None or control.version > known.version):
            newest[name] = control
    return tuple(sorted(newest.values(), key=lambda one: (one.effective_from_ms, key(one.change))))


class Rulebook:
    """The rules of a site's cameras as the controls have changed them: `at` gives the same object until they do."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._compiled: dict[str, tuple[tuple[Control, ...], CameraRules]] = {}

    def cameras(self, controls: Iterable[Control]) -> tuple[str, ...]:
        """All that are, or were until a control took them away: what is open there has to end."""
        enabled = [name for name, camera in self._config.cameras.items() if camera.enabled]
        return tuple(name for name in dict.fromkeys([*enabled, *map(_camera_of, controls)]) if name)

    def knows(self, camera: str, controls: Iterable[Control]) -> bool:
        """Whether there is, or was, such a camera."""
        return camera in self._config.cameras or any(_camera_of(control) == camera for control in controls)

    def at(self, camera: str, at_ms: int, controls: Sequence[Control]) -> CameraRules:
        """The camera's rules at `at_ms`; raises ContractError for a camera that nobody knows.

        One that was taken away, or switched off by a control, has none: what is open there ends.
        """
        in_force = due(controls, at_ms)
        known = self._compiled.get(camera)
        if known is not None and known[0] == in_force:
            return known[1]
        spec = self._spec(camera, in_force, controls)
        config = msgspec.structs.replace(self._config, cameras=self._config.cameras | {camera: spec or _GONE})
        rules = compile_rules(config, camera)
        for control in in_force:
            rules = rules.changed(control)
        if spec is None:
            rules = replace(rules, rules=())
        self._compiled[camera] = (in_force, rules)
        return rules

    def _spec(self, camera: str, in_force: Iterable[Control], controls: Iterable[Control]) -> Camera | None:
        """What the camera is, None for one that is no more; its zones, lines and maintenance are the file's here."""
        ours = self._config.cameras.get(camera)
        word = next((one for one in in_force if _camera_of(one) == camera), None)
        if word is None and ours is None:
            # Its first frames may be from before its control is in force: they are its own all the same.
            word = next((one for one in controls if _camera_of(one) == camera), None)
        if word is None:
            if ours is None:
                raise ContractError(f"the config has no camera {camera!r}")
            return ours
        if not isinstance(word.change, SetCamera) or not word.change.spec.enabled:
            return None
        if ours is None:
            return word.change.spec
        return msgspec.structs.replace(
            word.change.spec, zones=ours.zones, lines=ours.lines, maintenance=ours.maintenance
        )


def _camera_of(control: Control) -> str:
    """The camera that a control makes, changes or takes away; "" for another kind of control."""
    match control.change:
        case SetCamera(camera=camera) | Removed(kind="camera", camera=camera):
            return camera
    return ""
