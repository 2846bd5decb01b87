"""Which changes are in force at a frame's time: a broadcast races with the frames, so each says from when on it is."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.controls import Control, key


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
