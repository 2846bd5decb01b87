"""Which changes are in force at a frame's time: a broadcast races with the frames, so each says from when on it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.config import Config
from contracts.controls import Control, key
from contracts.errors import ContractError
from stream.rules.model import CameraRules, compile_rules


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
    """The rules of a config's cameras as the controls have changed them: `at` gives the same object until they do."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._compiled: dict[str, tuple[tuple[Control, ...], CameraRules]] = {}

    def at(self, camera: str, at_ms: int, controls: Sequence[Control]) -> CameraRules:
        """The camera's rules at `at_ms`; raises ContractError for a camera that the config doesn't know."""
        if camera not in self._config.cameras:
            raise ContractError(f"the config has no camera {camera!r}")
        in_force = due(controls, at_ms)
        known = self._compiled.get(camera)
        if known is not None and known[0] == in_force:
            return known[1]
        rules = compile_rules(self._config, camera)
        for control in in_force:
            rules = rules.changed(control)
        self._compiled[camera] = (in_force, rules)
        return rules
