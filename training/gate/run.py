"""One candidate before the gate: the sets are as frozen, it was not trained on them, it sees more, and believes us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts.manifest import ModelManifest
from training.gate.judge import Reason, Report, bounded, judge, refused
from training.gate.predict import Model, see
from training.gate.sets import GateSet, read_config, read_sets
from training.gate.words import contradicted
from training.gate.worst import worst


class Larger(NamedTuple):
    """What a candidate that is only smaller is held against beside the model in service.

    The models that it was made smaller from, and those that smaller ones have replaced until now; `lacking` are ids of
    such that nobody has any more.
    """

    models: tuple[Model, ...] = ()
    lacking: tuple[str, ...] = ()


def run(
    candidate: Model,
    against: Model,
    config_file: Path,
    learnt: frozenset[str] = frozenset(),
    larger: Callable[[], Larger] = Larger,
) -> Report:
    """Hold a candidate against the model in service on the sets that `config_file` lists.

    `learnt` are the SHA-256 of the pictures that it was trained on, as far as that is known. `larger` is asked only
    where the candidate is no more than smaller.

    Raises ConfigError where a set is another than the one that was frozen, ModelError where a model can't be opened.
    """
    config = read_config(config_file)
    sets = read_sets(config, config_file.parent)
    frozen = tuple(one.frozen for one in sets)
    if (reason := _trained_on(candidate[0], learnt, sets)) is not None:
        return refused(candidate[0].id, against[0].id, frozen, config.limits, reason)
    pictures = [picture for one in sets for picture in one.pictures]
    files = [file for one in sets for file in one.files]
    before, after = see((against, candidate), pictures, files)
    report = judge(pictures, before, after, frozen, config.limits)
    if report.only_smaller:
        held = larger()
        others = [one for one in held.models if one[0].id not in (before.model, after.model)]
        bounds, reasons = bounded(
            pictures, see(others, pictures, files) if others else (), after, report.smaller, config.limits
        )
        refusals = (*report.refusals, *reasons, *map(_lacks, held.lacking))
        report = msgspec.structs.replace(report, bounds=bounds, refusals=refusals)
    names = [one.frozen.name for one in sets for _ in one.pictures]
    report = msgspec.structs.replace(report, worst=worst(pictures, names, before.boxes, after.boxes))
    lineage = candidate[0].lineage
    told = list(contradicted(lineage.words if lineage is not None else (), config.limits))
    return msgspec.structs.replace(
        report,
        refusals=(*report.refusals, *(reason for refuses, reason in told if refuses)),
        doubts=(*report.doubts, *(reason for refuses, reason in told if not refuses)),
    )


def _lacks(id: str) -> Reason:
    text = f"it is no better but smaller, and {id}, which it was made from, is not in the registry to be held against"
    return Reason(of="overall", text=text)


def _trained_on(candidate: ModelManifest, learnt: frozenset[str], sets: tuple[GateSet, ...]) -> Reason | None:
    data = {one.sha256 for one in candidate.lineage.data} if candidate.lineage is not None else set()
    for one in sets:
        if one.frozen.sha256 in data:
            return Reason(of="data", text=f"it was trained on the frozen set {one.frozen.name}")
        if known := len(one.digests & learnt):
            return Reason(of="data", text=f"it was trained on {known} pictures of the frozen set {one.frozen.name}")
    return None
