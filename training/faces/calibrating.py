"""What a face embedder's scores mean, measured on the validation people: not trained on, and in no test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from contracts.decoding import convert
from contracts.errors import ModelError
from contracts.manifest import ScoreCalibration
from stream.identity import Cohort
from stream.identity.calibrate import calibrate
from stream.identity.calibration import Calibration
from stream.identity.cohort import packed
from training.faces.people import read_people
from training.faces.recipe import EmbedderRecipe
from training.faces.tracks import Embed, enrolled, tracks_of

LOOKS = 8
"""Looks a track: after the first, second, fourth and eighth the scores are noted."""

SEED = 2_000_003
DIGITS = 4


def calibrate_embedder(embed: Embed, enrol: Embed, cohort: Cohort, recipe: EmbedderRecipe, data: Path) -> Calibration:
    """Every face of the validation people seen on a track of its own, held against all of their pictures.

    `embed` is the embedder's way to see a look, `enrol` its way to see a picture of the gallery.

    Raises ModelError where there are too few people, ConfigError where there are none.
    """
    faces = read_people(recipe.people, "validate", data)
    tracks = tracks_of(faces, embed, LOOKS, recipe.degrade, SEED)
    try:
        return calibrate(tracks, enrolled(faces, enrol), cohort)
    except ValueError as error:
        raise ModelError(f"{recipe.name}: can't be calibrated on {len(faces.names)} people: {error}") from error


def rounded(calibration: Calibration, cohort: Cohort, name: str) -> ScoreCalibration:
    """The calibration as a manifest holds it, to four digits, with the cohort's file."""
    digest = hashlib.sha256(packed(cohort.vectors)).hexdigest()
    named = msgspec.structs.replace(calibration, cohort=cohort_file(name), cohort_sha256=digest)
    return convert(_rounded(msgspec.to_builtins(named)), ScoreCalibration)


def cohort_file(name: str) -> str:
    """The file of a model's cohort."""
    return f"{name}.cohort.npy"


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {name: _rounded(item) for name, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
    return value
