"""Frozen sets: pictures with their truth that no candidate is trained on, held by the hash of all that is in them.

A set is COCO's JSON, as `vedette dataset` writes it: each picture may have a `camera`, and one with `complete: false`
(not all of it is labelled) is left out, since what is found there can't be told right or wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from archive.collection.duplicates import Fingerprints, fingerprint
from archive.collection.seeing import decoded
from archive.collection.splits import Moment
from contracts.decoding import from_json
from contracts.errors import ConfigError
from training.coco import Coco
from training.gate.judge import FrozenSet, Limits
from training.gate.measure import Boxes, Picture
from training.yaml_file import read_yaml


class SetEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of the list; paths are relative to the list's file."""

    name: str
    annotations: str
    pictures: str = "."
    sha256: str = ""


class GateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list: what candidates are held against, and what they may cost."""

    sets: tuple[SetEntry, ...]
    limits: Limits = Limits()


@dataclass(frozen=True)
class GateSet:
    """A set as it is on the disk, with the hash of all that is in it; `files` are the pictures', in their order.

    `digests` are the SHA-256 of all its pictures, `moments` says when those of cameras were taken.
    """

    frozen: FrozenSet
    pictures: tuple[Picture, ...]
    files: tuple[Path, ...]
    digests: frozenset[str]
    moments: Mapping[str, Moment]


class Frozen(NamedTuple):
    """The pictures that the gate judges with: their SHA-256, how they look (see archive/collection), when they were
    taken where their set says so.
    """

    digests: frozenset[str] = frozenset()
    prints: Fingerprints = np.zeros(0, np.uint64)
    moments: Mapping[str, Moment] = {}


NOTHING = Frozen()


def read_config(file: Path) -> GateConfig:
    """Read the list of frozen sets (YAML); raises ConfigError with what is wrong."""
    config = read_yaml(file, GateConfig)
    if not config.sets:
        raise ConfigError(f"{file.name}: sets", "names none: a gate without a set lets everything through")
    return config


def read_sets(config: GateConfig, folder: Path) -> tuple[GateSet, ...]:
    """All sets, each held against its hash; raises ConfigError for one that is another by now, or not yet frozen."""
    found = []
    for i, entry in enumerate(config.sets):
        one = read_set(entry, folder)
        if entry.sha256 != one.frozen.sha256:
            was = f"was frozen as {entry.sha256}" if entry.sha256 else "is not frozen"
            raise ConfigError(f"sets[{i}].sha256", f"set {entry.name} {was}; it is {one.frozen.sha256}")
        if not one.pictures:
            raise ConfigError(f"sets[{i}]", f"set {entry.name} has no picture that is labelled completely")
        if not any(picture.truth.labels for picture in one.pictures):
            raise ConfigError(f"sets[{i}]", f"set {entry.name} has no box in any of its pictures")
        found.append(one)
    return tuple(found)


def frozen_pictures(file: Path) -> Frozen:
    """All pictures that the listed sets hold; raises ConfigError as `read_sets` does."""
    sets = read_sets(read_config(file), file.parent)
    pictures = (decoded(path.read_bytes()) for one in sets for path in one.files)
    prints = [fingerprint(picture) for picture in pictures if picture is not None]
    digests = frozenset(name for one in sets for name in one.digests)
    moments = {name: moment for one in sets for name, moment in one.moments.items()}
    return Frozen(digests, np.array(prints, np.uint64), moments)


def read_set(entry: SetEntry, folder: Path) -> GateSet:
    """One set as it is; raises ConfigError where a file is missing or isn't COCO's."""
    annotations = folder / entry.annotations
    digest = hashlib.sha256()
    try:
        data = annotations.read_bytes()
        coco = from_json(data, Coco)
        digest.update(hashlib.sha256(data).digest())
        files = [folder / entry.pictures / image.file_name for image in coco.images]
        digests = [hashlib.sha256(file.read_bytes()) for file in files]
    except OSError as error:
        raise ConfigError(f"set {entry.name}", f"{error.filename}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"set {entry.name}", f"{annotations.name}: {error}") from error
    for one in digests:
        digest.update(one.digest())
    kept = [n for n, image in enumerate(coco.images) if image.complete]
    pictures = list(_pictures(coco))
    return GateSet(
        FrozenSet(name=entry.name, sha256=digest.hexdigest(), pictures=len(kept)),
        tuple(pictures[n] for n in kept),
        tuple(files[n] for n in kept),
        frozenset(one.hexdigest() for one in digests),
        {
            one.hexdigest(): Moment(image.site, image.camera, image.captured_at_ms)
            for one, image in zip(digests, coco.images, strict=True)
            if image.captured_at_ms
        },
    )


def _pictures(coco: Coco) -> Iterator[Picture]:
    names, of_image = coco.names(), coco.by_image()
    for image in coco.images:
        boxes = of_image.get(image.id, [])
        xyxy = np.array([one.xyxy for one in boxes], float).reshape(-1, 4)
        truth = Boxes(xyxy, tuple(names[one.category_id] for one in boxes), np.ones(len(boxes)))
        yield Picture(image.file_name, image.camera or "no camera", truth)
