"""What was decided about models, and what follows of it: pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts.fields import Stage

EVERYWHERE: Stage = "everywhere"
SHARE = 0.25
"""Of the frames that both models look at, so that they can be compared."""
Kind = Literal["registered", "gated", "promoted", "rolled_back"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log.

    `model` is the version's id and `slot` what it would be in service as; `site` is empty for what holds at every site.
    Of a gate: whether it was `passed`, `against` which version, and where its `report` is. Of a promotion: the `stage`,
    the `cameras` of a candidate (none for a shadow: all), the `share` of frames that both models look at, and why it
    was `forced` past the gate. `instead` is the version that is in service after a rollback.
    """

    number: int
    kind: Kind
    model: str
    slot: str
    at_ms: int
    by: str
    why: str = ""
    site: str = ""
    passed: bool = False
    against: str = ""
    report: str = ""
    stage: Stage = EVERYWHERE
    cameras: tuple[str, ...] = ()
    share: float = SHARE
    forced: str = ""
    instead: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A version that runs beside the one in service: silent (shadow), or instead of it at some cameras (canary)."""

    model: str
    stage: Stage
    cameras: tuple[str, ...] = ()
    share: float = SHARE


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a site runs in one slot: ids of versions; `in_service` is empty where the log doesn't know.

    `before` are those that were in service earlier, the latest last. `since_ms` is since when it is in service, `at_ms`
    the time of the last decision on the slot. `proven` is whether it was in service before already, and is back.
    """

    in_service: str = ""
    before: tuple[str, ...] = ()
    candidate: Candidate | None = None
    since_ms: int = 0
    at_ms: int = 0
    proven: bool = False


def standing(decisions: Iterable[Decision], site: str) -> dict[str, Standing]:
    """What the site runs, by slot, after these decisions in their order."""
    found: dict[str, Standing] = {}
    for decision in decisions:
        if decision.site == site and decision.kind in ("promoted", "rolled_back"):
            now = replace(found.get(decision.slot, Standing()), at_ms=decision.at_ms)
            found[decision.slot] = _promoted(now, decision) if decision.kind == "promoted" else _back(now, decision)
    return found


def gate_of(decisions: Iterable[Decision], model: str) -> Decision | None:
    """The last word of the gate on a version."""
    return next((one for one in reversed(list(decisions)) if one.kind == "gated" and one.model == model), None)


def _promoted(now: Standing, decision: Decision) -> Standing:
    if decision.stage != EVERYWHERE:
        candidate = Candidate(
            model=decision.model, stage=decision.stage, cameras=decision.cameras, share=decision.share
        )
        return replace(now, candidate=candidate)
    if decision.model == now.in_service:
        return replace(now, candidate=None)
    before = (*now.before, now.in_service) if now.in_service else now.before
    return replace(now, in_service=decision.model, before=before, candidate=None, since_ms=decision.at_ms, proven=False)


def _back(now: Standing, decision: Decision) -> Standing:
    """A candidate is taken back before what is in service; a decision on what stands no more changes nothing."""
    if now.candidate is not None and now.candidate.model == decision.model:
        return replace(now, candidate=None)
    if now.in_service == decision.model and now.before:
        back = {"in_service": decision.instead, "before": now.before[:-1], "since_ms": decision.at_ms}
        return replace(now, **back, proven=True)
    return now
