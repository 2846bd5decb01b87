"""Tracks as points whose means are compared: how far apart two means are says how differently tracks are distributed.

The squared distance of means is the squared maximum mean discrepancy (Gretton et al., "A Kernel Two-Sample Test", JMLR
13, 2012) of the kernel that the points stand for. Of looks that is a sum of Gaussian kernels, by random Fourier
features (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", NIPS 2007). Of confidences it is the one
whose distance is Cramér's, half the energy distance (Székely and Rizzo, "Energy statistics", JSPI 143, 2013).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stream.geometry import Floats

STEPS = 20
WIDTHS = (0.5, 1.0, 2.0)
"""Of the Gaussian kernels. Looks are unit vectors: those of one person are .7 apart, two people's 1.3."""
FREQUENCIES = 32
"""A kernel: its value is then right within about 1 / sqrt(32), alike for all that is compared."""
SEED = 2026


class Features:
    """The points of tracks under a model whose looks have this length (0: no looks)."""

    def __init__(self, length: int) -> None:
        self._frequencies = _frequencies(length)

    @staticmethod
    def of_confidence(confidence: float) -> Floats:
        """float64[20]: whether it is above each of 20 steps; their sum is the confidence again."""
        return np.asarray((confidence > np.arange(STEPS) / STEPS) / np.sqrt(STEPS))

    @staticmethod
    def mean_confidence(mean: Floats) -> float:
        """The mean confidence of tracks with this mean point, within half a step."""
        return float(max(0.0, mean.sum() / np.sqrt(STEPS) - 0.5 / STEPS))

    def of_looks(self, vector: Floats) -> Floats:
        """float64[192] of a unit vector [D]; empty where looks have no length."""
        angles = self._frequencies @ vector
        return np.asarray(np.concatenate([np.cos(angles), np.sin(angles)]) / np.sqrt(max(1, len(angles))))


@lru_cache(maxsize=8)
def _frequencies(length: int) -> Floats:
    """float64[96,D]. Of numpy's generators only RandomState gives the same numbers in every version: states last."""
    rows = FREQUENCIES * len(WIDTHS) if length else 0
    numbers = np.random.RandomState(SEED).standard_normal((rows, length))
    return np.asarray(numbers / np.repeat(WIDTHS, FREQUENCIES if length else 0)[:, None])
