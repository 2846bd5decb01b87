"""Changes that wait for their moment: a control is in force from a frame's time on, whenever it arrived."""

from __future__ import annotations

import msgspec

from contracts.controls import Control, key


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Controls that are not yet in force, and the highest version seen by key (one entry a thing ever named)."""

    v: int = 1
    waiting: tuple[Control, ...] = ()
    seen: dict[str, int] = {}


def add(pending: Pending, control: Control) -> Pending:
    """Take one control in; one that is no newer than what its key has seen (a replay) changes nothing."""
    name = key(control.change)
    if control.version <= pending.seen.get(name, -1):
        return pending
    waiting = sorted((*pending.waiting, control), key=_order)
    return Pending(waiting=tuple(waiting), seen={**pending.seen, name: control.version})


def due(pending: Pending, at_ms: int) -> tuple[Pending, tuple[Control, ...]]:
    """The controls in force at frame time `at_ms`, in the order in which they apply, and those that still wait."""
    now = tuple(control for control in pending.waiting if control.effective_from_ms <= at_ms)
    if not now:
        return pending, ()
    later = tuple(control for control in pending.waiting if control.effective_from_ms > at_ms)
    return msgspec.structs.replace(pending, waiting=later), now


def _order(control: Control) -> tuple[int, str, int]:
    return control.effective_from_ms, key(control.change), control.version
