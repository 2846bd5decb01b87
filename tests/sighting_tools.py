"""Sightings of people made of arithmetic, and keys for their days."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from contracts.face_models import FaceManifests
from contracts.manifest import load_manifest
from contracts.messages import FrameRef
from contracts.people import Sighting
from vault import DayKeys, day_of, new_key

T0_MS = 1_767_225_600_000
DAY = day_of(T0_MS)
D = 128
MODEL = load_manifest(FaceManifests().embedder).id


def day_keys(*days: int, site: str = "site") -> DayKeys:
    """Fresh keys of these days (default: that of T0_MS)."""
    keys = DayKeys(site)
    for day in days or (DAY,):
        keys.put(day, new_key())
    return keys


def directions(count: int, rng: Generator) -> NDArray[np.float32]:
    """Unit vectors [N,D] of so many people."""
    rows = rng.standard_normal((count, D))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def looking(direction: NDArray[np.float32], cosine: float, rng: Generator) -> NDArray[np.float32]:
    """A unit vector at this cosine from a direction."""
    noise = rng.standard_normal(D)
    noise -= (noise @ direction) * direction
    return (cosine * direction + np.sqrt(1 - cosine**2) * noise / np.linalg.norm(noise)).astype(np.float32)


def sighting(
    number: int, vector: NDArray[np.float32], keys: DayKeys, at_ms: int = T0_MS, **changes: object
) -> Sighting:
    """The sighting of track `number`, sealed as decide does."""
    camera = str(changes.get("camera", "gate"))
    values = {
        "site": "site",
        "camera": camera,
        "lane": "live",
        "track": f"{camera}/live/1/{number}",
        "first_at_ms": at_ms,
        "at_ms": at_ms,
        "decision": "unknown",
        "model": MODEL,
        "sealed": keys.seal(at_ms, vector.astype("<f2").tobytes()),
        "strength": 0.85,
        "looks": 4,
        "quality": 0.8,
        "ref": FrameRef("frames.site", 0, number),
        "face": (10.0, 10.0, 60.0, 70.0),
        "width": 1920,
        "height": 1080,
        "final": True,
    }
    return Sighting(**(values | changes))
