"""The cohort that comes with an embedder: training people, two and two, so that no row is anybody's face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream.identity import Cohort
from stream.identity.cohort import packed, unpacked
from training.faces.embedder import centres
from training.faces.people import read_people
from training.faces.recipe import EmbedderRecipe
from training.faces.tracks import Embed, Floats, embedded


def make_cohort(embed: Embed, recipe: EmbedderRecipe, data: Path) -> Cohort:
    """The training people's clean faces as this embedder sees them; ConfigError where there are none.

    To a byte a number, as it will be read.
    """
    faces = read_people(recipe.people, "train", data)
    return Cohort(unpacked(packed(paired(embedded(faces.pictures, embed), faces.persons))))


def paired(vectors: Floats, persons: NDArray[np.int64]) -> Floats:
    """The middle [P/2,D] of every two people's middles, nearest with nearest; one who is left over is left out."""
    middles = centres(vectors, persons)
    cosines = middles @ middles.T
    np.fill_diagonal(cosines, -np.inf)
    free = np.ones(len(middles), np.bool_)
    rows = []
    for person in np.argsort(-cosines.max(axis=1), kind="stable"):
        if not free[person] or free.sum() < 2:
            continue
        free[person] = False
        other = int(np.where(free, cosines[person], -np.inf).argmax())
        free[other] = False
        rows.append(middles[person] + middles[other])
    return np.asarray(np.stack(rows) / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
