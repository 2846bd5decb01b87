"""How often a stranger looks as much like somebody enrolled: the upper tail of impostors' scores.

Above a high threshold any distribution's excesses follow a generalised Pareto distribution (Pickands-Balkema-de Haan),
so a few numbers say how rare scores are that a calibration set has hardly seen. Fitted by probability-weighted moments
(J. R. M. Hosking, J. R. Wallis, Technometrics 29, 1987), which needs no search and stands small samples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.manifest import ScoreTail


class Tail(ScoreTail, frozen=True, kw_only=True):
    """The tail as a function: from a score to how rare it is, and back."""

    def rate(self, score: float) -> float:
        """The share of impostor comparisons that score at least so high; at most `share`: only the tail is known."""
        excess = max(0.0, score - self.start) / self.scale
        if abs(self.shape) < 1e-9:
            return self.share * math.exp(-excess)
        return self.share * math.pow(max(0.0, 1 + self.shape * excess), -1 / self.shape)

    def score(self, rate: float) -> float:
        """The score that this share of impostor comparisons reach; `start` for a rate beyond the tail's share."""
        if rate <= 0:
            raise ValueError(f"no score is reached by a share of {rate}")
        rarer = self.share / rate
        if rarer <= 1:
            return self.start
        if abs(self.shape) < 1e-9:
            return self.start + self.scale * math.log(rarer)
        return self.start + self.scale * (math.pow(rarer, self.shape) - 1) / self.shape


LEAST = 50
"""Excesses that a fit needs: its shape's standard error is then about .2."""


def fit_tail(scores: NDArray[np.float64], share: float = 0.01) -> Tail:
    """The tail of impostor scores [N] that holds this share of them; raises ValueError where that is too few."""
    count = round(len(scores) * share)
    if count < LEAST:
        raise ValueError(f"{len(scores)} scores hold {count} in a tail of {share:g}, {LEAST} are needed")
    highest = np.sort(np.partition(scores, len(scores) - count - 1)[-count - 1 :])
    start, excess = float(highest[0]), highest[1:] - highest[0]
    mean = float(excess.mean())
    # E[X (1 - F(X))]: the smallest excess has the greatest weight.
    weighted = float((excess * (np.arange(count, 0, -1) - 0.65) / count).mean())
    k = mean / (mean - 2 * weighted) - 2
    return Tail(start=start, share=count / len(scores), scale=2 * mean * weighted / (mean - 2 * weighted), shape=-k)
