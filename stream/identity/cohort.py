"""How alike two faces are, less what either has in common with everybody.

Some faces are like many people's, and would be mistaken for somebody most often. So what a face has with its nearest
of a cohort of others is taken off on both sides: adaptive symmetric score normalisation (Matějka et al., Interspeech
2017) without its deviations, which is CSLS (Conneau et al., arXiv:1710.04087). The cohort is of people whom the
embedder was trained on; each of its rows is the middle of two people, and so nobody's face.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.manifest import ModelManifest, model_bytes

Vectors = NDArray[np.float32]
"""Unit rows float32[M,D]."""

NEAREST = 40
SHARE = 0.75
"""Both chosen on people who were trained on (half as cohort, half as gallery and strangers) and on the validation
people: from 20 to 80 and from .5 to 1 it makes hardly a difference."""
AT_ONCE = 2000
"""Rows that are compared with the cohort in one product."""


@dataclass(frozen=True)
class Cohort:
    """Unit vectors [C,D] of others; an empty one takes nothing off."""

    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def excess(self, faces: Vectors) -> NDArray[np.float32]:
        """What unit vectors [N,D] have in common with everybody beyond what is usual [N]; to be taken off a cosine."""
        if not len(self.vectors):
            return np.zeros(len(faces), np.float32)
        parts = [_crowd(faces[first : first + AT_ONCE] @ self.vectors.T) for first in range(0, len(faces), AT_ONCE)]
        return np.asarray(SHARE * (np.concatenate([np.zeros(0, np.float32), *parts]) - self._usual), np.float32)

    def likeness(self, faces: Vectors, others: Vectors) -> NDArray[np.float32]:
        """How alike each face [N,D] and each other one [M,D] are [N,M]: their cosine, less both excesses."""
        return np.asarray(faces @ others.T - self.excess(faces)[:, None] - self.excess(others), np.float32)

    @cached_property
    def _usual(self) -> float:
        """The crowd that the cohort's own have among the others, so that a likeness lies where a cosine does."""
        cosines = self.vectors @ self.vectors.T
        np.fill_diagonal(cosines, -1.0)
        return float(_crowd(cosines).mean())


NOBODY = Cohort()


def cohort_of(manifest: ModelManifest, folder: Path) -> Cohort:
    """The cohort that an embedder's calibration was measured with, from the manifest's folder; an empty one for none.

    Raises ModelError for a file that is not there, or another one.
    """
    named = manifest.calibration.cohort if manifest.calibration is not None else ""
    return Cohort(unpacked(model_bytes(manifest, folder, named))) if named else Cohort()


def packed(vectors: Vectors) -> bytes:
    """A cohort as its file holds it: a byte a number (.npy)."""
    file = io.BytesIO()
    np.save(file, np.round(vectors * (127 / abs(vectors).max())).astype(np.int8))
    return file.getvalue()


def unpacked(content: bytes) -> Vectors:
    """Unit vectors float32[C,D] out of such a file."""
    rows = np.load(io.BytesIO(content), allow_pickle=False).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _crowd(cosines: Vectors) -> NDArray[np.float32]:
    """The mean of each row's NEAREST largest."""
    nearest = min(NEAREST, cosines.shape[1])
    return np.asarray(np.partition(cosines, -nearest, axis=1)[:, -nearest:].mean(axis=1), np.float32)
