"""One vector out of all looks at a track: the sharp ones count, the blurred ones hardly; and how far it can be trusted.

A look at quality q is taken as the person's true direction with cosine q and noise beside it. The weight q / (1 - q²)
then makes the sum the best estimate of that direction (maximum likelihood for noise that is alike in all directions);
what looks of one track have in common (light, pose) does not average out, which `correlation` says.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from stream.identity.gallery import Vector

WORST, BEST = 0.05, 0.98
"""Qualities are kept within: no look is worthless for certain, none is the person."""


class FusedState(msgspec.Struct, frozen=True, kw_only=True):
    """The weighted sum of a track's looks (little-endian float32[D]) and the sums that say how good it is."""

    v: int = 1
    total: bytes = b""
    signal: float = 0.0
    noise: float = 0.0
    shared: float = 0.0
    looks: int = 0

    @property
    def vector(self) -> Vector:
        """The unit vector of all looks; a ValueError before the first."""
        total = np.frombuffer(self.total, "<f4")
        length = float(np.linalg.norm(total))
        if not length:
            raise ValueError("nothing was seen yet")
        return np.asarray(total / length, np.float32)

    def strength(self, correlation: float) -> float:
        """The cosine that the fused vector is expected to have with the person's true direction, 0-1."""
        if not self.looks:
            return 0.0
        noise = (1 - correlation) * self.noise + correlation * self.shared**2
        return self.signal / math.sqrt(self.signal**2 + noise)


def fuse(state: FusedState, look: Vector, quality: float) -> FusedState:
    """The state with one more look: a unit vector float32[D] and the cosine it is expected to have with its person."""
    quality = min(max(quality, WORST), BEST)
    beside = 1 - quality**2
    weight = quality / beside
    total = np.frombuffer(state.total, "<f4") if state.total else np.zeros(len(look), np.float32)
    return FusedState(
        total=(total + weight * look).astype("<f4").tobytes(),
        signal=state.signal + weight * quality,
        noise=state.noise + weight**2 * beside,
        shared=state.shared + weight * math.sqrt(beside),
        looks=state.looks + 1,
    )
