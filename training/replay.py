"""Old pictures that are trained on again, or chosen by: none that the gate judges with, nor one that looks like it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from archive.collection.duplicates import ALIKE_BITS, fingerprint
from archive.collection.seeing import decoded
from contracts.errors import ConfigError
from training.dataset import DataSet
from training.gate.sets import Frozen
from training.readers import Skipped

FROZEN = "the gate judges with it, or with a picture that looks like it"


def judged_with(data: bytes, frozen: Frozen) -> bool:
    """Whether a picture's file is one of the frozen ones, or looks like one; what can't be decoded looks like none."""
    if hashlib.sha256(data).hexdigest() in frozen.digests:
        return True
    picture = decoded(data) if len(frozen.prints) else None
    if picture is None:
        return False
    return bool((np.bitwise_count(frozen.prints ^ fingerprint(picture)) <= ALIKE_BITS).any())


def apart(sets: Sequence[DataSet], frozen: Frozen) -> tuple[DataSet, ...]:
    """The sets without what the gate judges with, which is among what was skipped.

    What looks alike is the same, whatever its labels: of a fixed camera one frozen picture takes all away.
    Raises ConfigError for a set of which nothing is left.
    """
    return tuple(_apart(one, frozen) for one in sets)


def telling(sets: Sequence[DataSet]) -> tuple[DataSet, ...]:
    """The sets that say what was forgotten; raises ConfigError where there is none, or one has nothing to say it by."""
    if not sets:
        raise ConfigError("sets", "none of them is there to `validate`: nothing would say what was forgotten")
    for one in sets:
        if not any(len(sample.xyxy) for sample in one.samples):
            raise ConfigError(f"sets.{one.config.name}", "has no box of these labels: it can't say what was forgotten")
    return tuple(sets)


def digests(files: Iterable[Path]) -> tuple[str, ...]:
    """The SHA-256 of each file."""
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def _apart(data: DataSet, frozen: Frozen) -> DataSet:
    kept, skipped = [], list(data.skipped)
    for sample in data.samples:
        if judged_with(sample.path.read_bytes(), frozen):
            skipped.append(Skipped(sample.path.name, FROZEN))
        else:
            kept.append(sample)
    if not kept:
        raise ConfigError(f"sets.{data.config.name}", f"nothing of it is left: of each picture, {FROZEN}")
    return replace(data, samples=tuple(kept), skipped=tuple(skipped))
