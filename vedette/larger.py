"""What a smaller model comes from: the larger ones that it may lose no more against than one step may cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from archive.registry import Registry
from archive.registry.log import gate_of
from contracts.decoding import from_json
from contracts.manifest import ModelManifest
from training.gate.judge import Report
from training.gate.run import Larger


def larger_than(registry: Registry, id: str, against: str, cache: Path) -> Larger:
    """What a candidate was made smaller from, step by step, and what smaller ones have replaced until `against`.

    Raises VedetteError for a version that can't be fetched.
    """
    known = {one.id for one in registry.versions()}
    wanted = dict.fromkeys((*_made_from(registry, id, known), *_replaced(registry, against)))
    return Larger(
        tuple(registry.fetch(one, cache) for one in wanted if one in known),
        tuple(one for one in wanted if one not in known),
    )


def _made_from(registry: Registry, id: str, known: set[str]) -> Iterator[str]:
    """The parents of a version that is a smaller one of its parent, up to the first that is none of anything."""
    passed = {id}
    while (parent := _whole_of(registry.manifest(id))) and parent not in passed:
        yield parent
        if parent not in known:
            return
        passed.add(parent)
        id = parent


def _whole_of(manifest: ModelManifest) -> str:
    lineage = manifest.lineage
    return lineage.parent if lineage is not None and lineage.smaller_by else ""


def _replaced(registry: Registry, id: str) -> Iterator[str]:
    """Those whose place was taken, one after the other, by a version that the gate let through only as smaller.

    Better ones may have come between: each is better than the one before it, which doesn't say by how much. Who was
    forced past the gate begins anew.
    """
    decisions, passed = registry.decisions(), set[str]()
    while (gate := gate_of(decisions, id)) is not None and gate.passed and id not in passed:
        passed.add(id)
        if _only_smaller(registry.figures(gate)):
            yield gate.against
        id = gate.against


def _only_smaller(figures: bytes) -> bool:
    try:
        return from_json(figures, Report).only_smaller
    except msgspec.MsgspecError:  # of a version of Vedette whose gate let nothing through for that
        return False
