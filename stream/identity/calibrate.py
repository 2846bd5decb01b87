"""Makes a calibration from looks at people who are in no gallery: what a look is worth, how alike strangers look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.identity.calibration import Calibration, Level, rising
from stream.identity.cohort import NOBODY, Cohort, Vectors
from stream.identity.fusion import BEST, WORST, FusedState, fuse
from stream.identity.tail import fit_tail

Numbers = NDArray[np.float64]

QUALITY_STEPS = 8
STRENGTH_STEPS = 5


@dataclass(frozen=True, slots=True)
class Track:
    """Looks at one person: unit vectors [N,D], the embedder's qualities [N].

    `source` is the enrolment picture that the looks stem from, -1 for none of them.
    """

    vectors: Vectors
    qualities: Numbers
    person: int
    source: int = -1


@dataclass(frozen=True, slots=True)
class Pictures:
    """Enrolment pictures: unit vectors [M,D], and whose they are [M]."""

    vectors: Vectors
    persons: NDArray[np.int64]


class _Curve(NamedTuple):
    qualities: tuple[float, ...]
    cosines: tuple[float, ...]

    def of(self, qualities: Numbers) -> Numbers:
        """The looks' expected cosines with their persons."""
        return np.clip(np.interp(qualities, self.qualities, self.cosines), WORST, BEST)


def calibrate(tracks: Sequence[Track], pictures: Pictures, cohort: Cohort = NOBODY) -> Calibration:
    """What looks are worth, and how rare scores against this cohort are.

    Raises ValueError where there are too few for the tails.
    Some people need two pictures: a look is never held against the picture that it stems from.
    """
    curve = _worth(tracks, pictures)
    correlation = _correlation(tracks, curve)
    return Calibration(
        qualities=curve.qualities,
        cosines=curve.cosines,
        levels=_levels(tracks, pictures, cohort, curve, correlation),
        correlation=correlation,
    )


def _worth(tracks: Sequence[Track], pictures: Pictures) -> _Curve:
    """The mean cosine of looks with their person's direction by quality, in steps of equally many looks, made to rise.

    A look of cosine q with its person meets another picture, of cosine p, at q·p; two pictures meet at p².
    """
    same = np.triu(pictures.persons[:, None] == pictures.persons[None], 1)
    if not same.any():
        raise ValueError("nobody has two pictures")
    picture = math.sqrt(max(1e-6, float((pictures.vectors @ pictures.vectors.T)[same].mean())))
    qualities, cosines = [], []
    for track in tracks:
        own = _own(track, pictures)
        if own.any():
            qualities.append(track.qualities)
            cosines.append((track.vectors @ pictures.vectors[own].T).mean(axis=1) / picture)
    quality, cosine = np.concatenate(qualities), np.concatenate(cosines)
    parts = [part for part in np.array_split(np.argsort(quality, kind="stable"), QUALITY_STEPS) if len(part)]
    knots = {float(quality[part].mean()): float(cosine[part].mean()) for part in parts}
    return _Curve(tuple(knots), rising([min(max(value, WORST), BEST) for value in knots.values()]))


def _correlation(tracks: Sequence[Track], curve: _Curve) -> float:
    """The share of two looks' noise that they have in common: their cosine is q₁q₂ + c √(1-q₁²) √(1-q₂²)."""
    shared = whole = 0.0
    for track in tracks:
        q = curve.of(track.qualities)
        noise = np.sqrt(1 - q**2)
        pairs = np.triu_indices(len(q), 1)
        shared += float(((track.vectors @ track.vectors.T) - np.outer(q, q))[pairs].sum())
        whole += float(np.outer(noise, noise)[pairs].sum())
    return min(max(shared / whole, 0.0), 0.95) if whole else 0.0


def _levels(
    tracks: Sequence[Track], pictures: Pictures, cohort: Cohort, curve: _Curve, correlation: float
) -> tuple[Level, ...]:
    """Impostors' tail and the enrolled one's scores of growing parts of the tracks, by their strength."""
    fused = [(state, track) for track in tracks for state in _growing(track, curve)]
    strengths = np.array([state.strength(correlation) for state, _ in fused])
    scores = cohort.likeness(np.stack([state.vector for state, _ in fused]), pictures.vectors)
    own = np.stack([_own(track, pictures) for _, track in fused])
    others = np.stack([track.person != pictures.persons for _, track in fused])
    levels: list[Level] = []
    for part in np.array_split(np.argsort(strengths, kind="stable"), STRENGTH_STEPS):
        genuine = scores[part][own[part]]
        if len(genuine) < 2:
            raise ValueError("too few looks at people with two pictures")
        levels.append(
            Level(
                strength=float(strengths[part].min()) if levels else 0.0,
                impostors=fit_tail(scores[part][others[part]].astype(np.float64)),
                genuine_mean=float(genuine.mean()),
                genuine_std=max(float(genuine.std()), 1e-3),
            )
        )
    return tuple(levels)


def _growing(track: Track, curve: _Curve) -> list[FusedState]:
    """The track after its first look, its second, its fourth ..."""
    state, states = FusedState(), []
    for vector, cosine in zip(track.vectors, curve.of(track.qualities), strict=True):
        state = fuse(state, vector, float(cosine))
        if state.looks & (state.looks - 1) == 0:
            states.append(state)
    return states


def _own(track: Track, pictures: Pictures) -> NDArray[np.bool_]:
    """The person's pictures but for the one that the track stems from."""
    own: NDArray[np.bool_] = pictures.persons == track.person
    if track.source >= 0:
        own[track.source] = False
    return own
