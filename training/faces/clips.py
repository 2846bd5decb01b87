"""Faces followed through real clips as the stream does it: detector, tracker, head, localiser, embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stream.identity import Calibration, Cohort, FusedState, Gallery, Identifier, IdentifierConfig, Person, fuse
from stream.tracking import Detections, Tracker, TrackerState, distinct
from stream.vision.faces import FaceLooker
from training.dataset import read_picture, read_set
from training.faces.fused import names_of
from training.faces.openset import WANTED
from training.predict import ExportedDetector
from training.recipe import SetConfig

Floats = NDArray[np.float32]

HALF = 4
"""A track of so many looks and more is cut in two: from the one half a picture is enrolled, the other is a probe."""


class ClipConfig(SetConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clip and its frames a second."""

    fps: float


class IdentityRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clips whose people are strangers, and how many others are enrolled meanwhile."""

    clips: tuple[ClipConfig, ...]
    enrolled: int = 500


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """The looks at one person of a clip, in order: unit vectors [L,D] and qualities [L]."""

    clip: str
    track: int
    vectors: Floats
    qualities: Floats


@dataclass(frozen=True, slots=True)
class Strangers:
    """How many tracks there were, with how many looks, and which were named; `bound` is on the share, at 95 %."""

    tracks: int
    looks: int
    by_clip: dict[str, int]
    named: tuple[str, ...]
    bound: float


@dataclass(frozen=True, slots=True)
class Halves:
    """Second halves of tracks whose first half gave a picture for the gallery, at the thresholds for WANTED.

    The shares of single looks that did not reach it, and of fused halves; `others` were taken for somebody else first.
    """

    tracks: int
    looks: int
    single: float
    fused: float
    others: int


def follow(
    clip: ClipConfig, detector: ExportedDetector, person: int, looker: FaceLooker, data: Path, cache: Path
) -> list[FaceTrack]:
    """The faces of the clip's people, every frame looked at; `person` is the detector's class of people."""
    tracker, state = Tracker(), TrackerState()
    looks: dict[int, list[tuple[Floats, float]]] = {}
    samples = read_set(clip, data, cache, ("face",)).samples
    for index, sample in enumerate(tqdm(samples, desc=clip.name)):
        picture = read_picture(sample.path)
        xyxy, confidence, classes = detector.detect(picture)
        people = np.flatnonzero(classes == person)
        people = people[distinct(xyxy[people].astype(np.float64), confidence[people], ["person"] * len(people))]
        frame = Detections(
            round(1000 * index * clip.keep_step / clip.fps),
            xyxy[people].astype(np.float64),
            confidence[people].astype(np.float64),
            ("person",) * len(people),
            picture=(float(picture.shape[1]), float(picture.shape[0])),
        )
        state, tracks = tracker.step(state, frame)
        taken = {track.detection: track.track_id for track in tracks if track.detection is not None}
        places = list(taken)
        for place, look in looker.look(picture, xyxy[people][places].reshape(-1, 4)).items():
            looks.setdefault(taken[places[place]], []).append((look.vector, look.quality))
    return [
        FaceTrack(clip.name, track, np.stack([v for v, _ in seen]), np.array([q for _, q in seen], np.float32))
        for track, seen in looks.items()
    ]


def strangers(tracks: Sequence[FaceTrack], gallery: Gallery, calibration: Calibration) -> Strangers:
    """Every track once against a gallery in which nobody of them is."""
    identifier = Identifier(calibration, IdentifierConfig(wanted_rate=WANTED))
    named = [
        f"{one.clip}/{one.track}: {names[0]}"
        for one in tracks
        if (names := names_of(identifier, gallery, one.vectors, one.qualities))
    ]
    clips = [one.clip for one in tracks]
    return Strangers(
        tracks=len(tracks),
        looks=sum(len(one.qualities) for one in tracks),
        by_clip={clip: clips.count(clip) for clip in dict.fromkeys(clips)},
        named=tuple(named),
        bound=upper_bound(len(named), len(tracks)),
    )


def halves(tracks: Sequence[FaceTrack], others: Floats, calibration: Calibration, cohort: Cohort) -> Halves:
    """The best look of each long track's first half is enrolled beside pictures [N,D] of others; the rest is sought."""
    long = [one for one in tracks if len(one.qualities) >= 2 * HALF]
    firsts = [len(one.qualities) // 2 for one in long]
    pictures = [one.vectors[one.qualities[:half].argmax()] for one, half in zip(long, firsts, strict=True)]
    enrolled = np.concatenate((np.stack(pictures), others))
    single, fused, mistaken = [], [], 0
    for place, (one, half) in enumerate(zip(long, firsts, strict=True)):
        state = FusedState()
        for vector, quality in zip(one.vectors[half:], one.qualities[half:], strict=True):
            look = fuse(FusedState(), vector, calibration.cosine(float(quality)))
            single.append(not _reaches(look, enrolled, place, calibration, cohort))
            state = fuse(state, vector, calibration.cosine(float(quality)))
        fused.append(not _reaches(state, enrolled, place, calibration, cohort))
        mistaken += int(cohort.likeness(state.vector[None], enrolled)[0].argmax()) >= len(long)
    return Halves(len(long), len(single), float(np.mean(single)), float(np.mean(fused)), mistaken)


def _reaches(state: FusedState, enrolled: Floats, place: int, calibration: Calibration, cohort: Cohort) -> bool:
    score = cohort.likeness(state.vector[None], enrolled[place][None])[0, 0]
    return bool(score >= calibration.threshold(state.strength(calibration.correlation), WANTED, len(enrolled)))


def upper_bound(events: int, trials: int, confidence: float = 0.95) -> float:
    """The greatest rate under which so few events are not rarer than 1 - confidence (Clopper-Pearson, one-sided)."""
    low, high = 0.0, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        few = sum(comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(events + 1))
        low, high = (rate, high) if few > 1 - confidence else (low, rate)
    return high


def gallery_of(vectors: Floats, names: Sequence[str], cohort: Cohort) -> Gallery:
    """People with one picture each."""
    people = {Person(name, name): row[None] for name, row in zip(names, vectors, strict=True)}
    return Gallery.of(people, cohort=cohort)
