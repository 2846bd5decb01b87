"""How well vectors tell people apart: verification, open-set identification, and what a quality score is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.identity import Cohort

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

FOLDS = 10
# At most so many pairs of one person, so that the most photographed don't decide the accuracy alone.
PAIRS_A_PERSON = 3
SPLITS = 120
"""Of ten the mean still is off by .5 percentage points of misses; of these by .15."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of faces [K] by place, whether they show one person, and the fold; no person is in two folds."""

    first: Places
    second: Places
    same: NDArray[np.bool_]
    fold: Places


@dataclass(frozen=True, slots=True)
class Split:
    """One open-set trial by places: enrolled faces [G], another face of the first M of them [M], strangers [S]."""

    gallery: Places
    mates: Places
    strangers: Places


@dataclass(frozen=True, slots=True)
class Trial:
    """Scores of one split: each mate's best match and whether it is the right person [M], strangers' best match [S]."""

    mates: Floats
    right: NDArray[np.bool_]
    strangers: Floats

    def misses(self, threshold: float | Floats) -> NDArray[np.bool_]:
        """Which mates are not identified as themselves; a threshold for all, or one each."""
        return ~(self.right & (self.mates >= threshold))

    def threshold(self, rate: float) -> float:
        """The score that this share of the strangers reaches."""
        return float(np.quantile(self.strangers, 1 - rate))


def all_pairs(a: Floats, b: Floats, persons: Places) -> tuple[Floats, Floats]:
    """Cosines of all pairs i < j, a's i with b's j: those of one person, those of two."""
    rows, columns = np.triu_indices(len(persons), 1)
    scores = (a @ b.T)[rows, columns]
    same = persons[rows] == persons[columns]
    return scores[same], scores[~same]


def true_accepts(genuine: Floats, impostor: Floats, rate: float) -> tuple[float, float]:
    """The share of genuine pairs accepted where `rate` of the impostors are, and the threshold for it."""
    threshold = float(np.quantile(impostor, 1 - rate))
    return float((genuine > threshold).mean()), threshold


def draw_pairs(persons: Places, seed: int) -> Pairs:
    """Pairs as in LFW's second view: ten folds of people, as many pairs of two people as of one in each."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(int(persons.max()) + 1)
    rows: list[tuple[int, int, bool, int]] = []
    for fold in range(FOLDS):
        people = order[fold::FOLDS]
        own = {int(person): np.flatnonzero(persons == person) for person in people}
        genuine = [pair for places in own.values() for pair in _some_pairs(places, rng)]
        rows += [(i, j, True, fold) for i, j in genuine]
        for _ in genuine:
            one, other = rng.choice(people, 2, replace=False)
            rows.append((int(rng.choice(own[int(one)])), int(rng.choice(own[int(other)])), False, fold))
    first, second, same, folds = (np.array(column) for column in zip(*rows, strict=True))
    return Pairs(first, second, same, folds)


def _some_pairs(places: Places, rng: np.random.Generator) -> list[tuple[int, int]]:
    pairs = [(int(places[i]), int(places[j])) for i in range(len(places)) for j in range(i)]
    chosen = rng.permutation(len(pairs))[:PAIRS_A_PERSON]
    return [pairs[k] for k in chosen]


def verification_accuracy(a: Floats, b: Floats, pairs: Pairs) -> tuple[float, float]:
    """Mean accuracy over the folds, each at the threshold that is best on the other nine, and its standard error."""
    scores = (a[pairs.first] * b[pairs.second]).sum(1)
    accuracies = []
    for fold in range(FOLDS):
        own = pairs.fold == fold
        threshold = _best_threshold(scores[~own], pairs.same[~own])
        accuracies.append(float(((scores[own] >= threshold) == pairs.same[own]).mean()))
    return float(np.mean(accuracies)), float(np.std(accuracies, ddof=1) / np.sqrt(FOLDS))


def _best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores)
    right = np.cumsum(same[order]) + (~same).sum() - np.cumsum(~same[order])
    return float(scores[order][int(right.argmax())])


def draw_splits(persons: Places, seed: int, enrolled: int = 200, strangers: int = 1000) -> list[Split]:
    """Open-set trials: `enrolled` people, those with two faces first; strangers, one face each, are other people."""
    counts = np.bincount(persons)
    splits = []
    for number in range(SPLITS):
        rng = np.random.default_rng((seed, number))
        people = rng.permutation(np.flatnonzero(counts > 1))[:enrolled]
        chosen = [rng.permutation(np.flatnonzero(persons == person))[:2] for person in people]
        others = rng.permutation(np.setdiff1d(np.flatnonzero(counts), people))
        if more := enrolled - len(people):  # people with one face can be enrolled, but not be looked for
            lonely = others[counts[others] == 1][:more]
            others = np.setdiff1d(others, lonely, assume_unique=True)
            chosen += [np.flatnonzero(persons == person) for person in lonely]
        unknown = np.array([rng.choice(np.flatnonzero(persons == person)) for person in others[:strangers]])
        mates = np.array([places[1] for places in chosen if len(places) > 1])
        splits.append(Split(np.array([places[0] for places in chosen]), mates, unknown))
    return splits


def identify(gallery: Floats, probes: Floats, split: Split, cohort: Cohort) -> Trial:
    """Match the split's probes with its gallery; `gallery` and `probes` are vectors [N,D] of all faces."""
    enrolled = gallery[split.gallery]
    scores = cohort.likeness(probes[split.mates], enrolled)
    right = scores.argmax(1) == np.arange(len(split.mates))
    return Trial(scores.max(1), right, cohort.likeness(probes[split.strangers], enrolled).max(1))


def misses_at(trials: list[Trial], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of missed mates [T,R] of each trial where these shares of the strangers are named."""
    return np.array([[trial.misses(trial.threshold(rate)).mean() for rate in rates] for trial in trials])


def errors_after_rejection(
    missed: NDArray[np.bool_], quality: Floats, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of missed faces among those that are left when the worst `shares` by quality are turned away."""
    order = np.argsort(quality, kind="stable")
    return np.array([missed[order[round(share * len(order)) :]].mean() for share in shares])
