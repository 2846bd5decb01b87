"""People made of arithmetic: a direction each, looks and pictures at a known cosine from it."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stream.identity.calibrate import Pictures, Track

D = 128


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def directions(count: int, rng: Generator) -> NDArray[np.float32]:
    return unit(rng.standard_normal((count, D)))


def looks(direction: NDArray[np.float32], qualities: NDArray[np.float64], rng: Generator, shared: float = 0.0):
    """Unit vectors [N,D] at these cosines from the direction; `shared` is the part of the noise that all have."""
    common = rng.standard_normal(D)
    noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((len(qualities), D))
    noise -= (noise @ direction)[:, None] * direction
    noise = unit(noise)
    return unit(qualities[:, None] * direction + np.sqrt(1 - qualities**2)[:, None] * noise)


def tracks(people: NDArray[np.float32], count: int, low: float, high: float, rng: Generator) -> list[Track]:
    """One track a person: `count` looks of qualities between low and high."""
    made = []
    for number, direction in enumerate(people):
        qualities = rng.uniform(low, high, count)
        made.append(Track(looks(direction, qualities, rng, 0.3), qualities, number))
    return made


def pictures(people: NDArray[np.float32], each: int, quality: float, rng: Generator) -> Pictures:
    vectors = [looks(direction, np.full(each, quality), rng) for direction in people]
    return Pictures(np.concatenate(vectors), np.repeat(np.arange(len(people)), each))
