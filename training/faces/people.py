"""Aligned faces on disk, one folder a person, split by person for training, validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ConfigError
from training.faces.recipe import PeopleConfig
from training.readers import Skipped
from training.recipe import Role

SIDE = 112
"""Width and height of an aligned face, px (the ArcFace reference)."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces uint8[N,112,112,3] BGR, the number of each one's person int64[N], the people's names, what was skipped."""

    pictures: NDArray[np.uint8]
    persons: NDArray[np.int64]
    names: tuple[str, ...]
    keys: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def role_of(name: str, config: PeopleConfig) -> Role | None:
    """What a person is used for, which follows from the name alone; None for nothing."""
    if name in config.unused:
        return None
    digest = hashlib.sha256(f"{config.seed}/{name}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    if place < config.test:
        return "test"
    return "validate" if place < config.test + config.validate else "train"


def read_people(config: PeopleConfig, role: Role, data: Path) -> Faces:
    """The faces of the people of one part; raises ConfigError when the folder is missing or holds none of them."""
    root = data / config.pictures
    if not root.is_dir():
        raise ConfigError("people.pictures", f"{config.pictures} is not a folder in the data folder")
    pictures: list[NDArray[np.uint8]] = []
    persons: list[int] = []
    names: list[str] = []
    keys: list[str] = []
    skipped: list[Skipped] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if role_of(folder.name, config) != role:
            continue
        for path in sorted(folder.iterdir()):
            key = f"{folder.name}/{path.name}"
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                skipped.append(Skipped(key, "not a picture that can be decoded"))
            elif picture.shape != (SIDE, SIDE, 3):
                skipped.append(Skipped(key, f"{picture.shape[1]}x{picture.shape[0]} instead of {SIDE}x{SIDE}"))
            else:
                if not names or names[-1] != folder.name:
                    names.append(folder.name)
                pictures.append(np.asarray(picture, np.uint8))
                persons.append(len(names) - 1)
                keys.append(key)
    if not pictures:
        raise ConfigError("people.pictures", f"no face of {config.pictures} can be used to {role}")
    return Faces(np.stack(pictures), np.array(persons, np.int64), tuple(names), tuple(keys), tuple(skipped))
