"""Tracks made of one aligned face: looks as a camera gets them while somebody passes, each with its own faults."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stream.identity.calibrate import Pictures, Track
from training.faces.degrade import Picture, degrade
from training.faces.people import SIDE, Faces
from training.faces.recipe import DegradeConfig

Floats = NDArray[np.float32]
Embed = Callable[[NDArray[np.uint8]], tuple[Floats, Floats]]
Walk = Callable[[Picture, int, DegradeConfig, Generator], NDArray[np.uint8]]

BATCH = 32
CLEAN_TRACKS = 0.15
"""So many tracks are of a face that is near and clear."""

SIZES_PX = (16, SIDE)
"""The others are of a face so many pixels large, evenly over the logarithm ..."""

GROWTH = 1.25
"""... and grow or shrink so much meanwhile."""


def looks_of_track(face: Picture, count: int, config: DegradeConfig, rng: Generator) -> NDArray[np.uint8]:
    """The face uint8[112,112,3] in `count` looks [count,112,112,3]; the first of a clear track is the face itself."""
    if rng.random() < CLEAN_TRACKS:
        near = msgspec.structs.replace(config, clean=0.5, shrink=(SIDE // 2, SIDE))
        return np.stack([face, *(degrade(face, near, rng) for _ in range(count - 1))])
    least, most = np.log(SIZES_PX)
    side = float(np.exp(rng.uniform(least, most)))
    sizes = (round(side / GROWTH), min(SIDE, round(side * GROWTH)))
    passing = msgspec.structs.replace(config, clean=0.0, shrink=sizes, shrink_share=1.0)
    return np.stack([degrade(face, passing, rng) for _ in range(count)])


def looks_of_any_size(face: Picture, count: int, config: DegradeConfig, rng: Generator) -> NDArray[np.uint8]:
    """The face in `count` looks of the training's faults, each of a size and with faults of its own."""
    return np.stack([degrade(face, config, rng) for _ in range(count)])


def tracks_of(faces: Faces, embed: Embed, looks: int, config: DegradeConfig, seed: int) -> list[Track]:
    """One track of each face; its source is the face's place."""
    tracks = []
    for place, face in enumerate(faces.pictures):
        pictures = looks_of_track(face, looks, config, np.random.default_rng((seed, place)))
        vectors, qualities = embed(pictures)
        tracks.append(Track(vectors, qualities.astype(np.float64), int(faces.persons[place]), place))
    return tracks


def enrolled(faces: Faces, embed: Embed) -> Pictures:
    """Each face as a picture of the gallery; `embed` is the embedder's way to enrol."""
    return Pictures(embedded(faces.pictures, embed), faces.persons)


def embedded(pictures: NDArray[np.uint8], embed: Embed) -> Floats:
    """The vectors [N,D] of aligned faces uint8[N,112,112,3], some at a time."""
    return np.concatenate([embed(pictures[first : first + BATCH])[0] for first in range(0, len(pictures), BATCH)])
