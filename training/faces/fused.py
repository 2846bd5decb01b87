"""What the looks of a track are worth together: ten poor looks at a person who is enrolled or not, singly and fused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from stream.identity import (
    Calibration,
    Cohort,
    FusedState,
    Gallery,
    Identifier,
    IdentifierConfig,
    IdentityState,
    Look,
    Person,
    fuse,
)
from training.faces.openset import WANTED, Interval, interval
from training.faces.people import Faces
from training.faces.recipe import DegradeConfig
from training.faces.tracks import Embed, Floats, Walk, looks_of_track

LOOKS = 10
SPLITS = 10
ENROLLED, STRANGERS = 200, 1000
AFTER = 3
"""Looks at a stranger who took a named track over."""
SEED = 4_000_037


@dataclass(frozen=True, slots=True)
class Passing:
    """One track a person: vectors [P,L,D], qualities [P,L]; `pictures` [P,D] are other, clean faces of the same people.

    People with one face only have no picture (zeros): they are strangers.
    """

    vectors: Floats
    qualities: Floats
    pictures: Floats
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fusion:
    """Misses where so many strangers are named as wanted, by single looks and by whole tracks; and in the stream.

    `named` are strangers' tracks that the identifier named at any time, `missed` enrolled people's that it did not name
    by the last look; `lent` those which a stranger then took over, and who still had the name after AFTER looks.
    """

    single: Interval
    fused: Interval
    named: Interval
    missed: Interval
    lent: Interval


def passing(faces: Faces, embed: Embed, enrol: Embed, config: DegradeConfig, walk: Walk = looks_of_track) -> Passing:
    """Everybody passes once, as another face than the one that would be enrolled."""
    rng = np.random.default_rng(SEED)
    vectors, qualities, pictures, known = [], [], [], []
    for person in tqdm(range(len(faces.names)), desc="tracks"):
        places = rng.permutation(np.flatnonzero(faces.persons == person))
        seen, good = embed(walk(faces.pictures[places[0]], LOOKS, config, rng))
        vectors.append(seen)
        qualities.append(good)
        known.append(len(places) > 1)
        pictures.append(enrol(faces.pictures[places[1:2]])[0][0] if known[-1] else np.zeros_like(seen[0]))
    return Passing(np.stack(vectors), np.stack(qualities), np.stack(pictures), np.array(known))


def fusion_gain(tracks: Passing, calibration: Calibration, cohort: Cohort, splits: int = SPLITS) -> Fusion:
    """So many splits of the people into enrolled ones and strangers."""
    rng = np.random.default_rng(SEED)
    whole = np.stack([_fused(*track, calibration) for track in zip(tracks.vectors, tracks.qualities, strict=True)])
    rows = [_split(tracks, whole, calibration, cohort, rng) for _ in tqdm(range(splits), desc="splits")]
    return Fusion(*(interval(column) for column in np.array(rows).T))


def _split(
    tracks: Passing, whole: Floats, calibration: Calibration, cohort: Cohort, rng: Generator
) -> tuple[float, ...]:
    enrolled = rng.permutation(np.flatnonzero(tracks.known))[:ENROLLED]
    others = rng.permutation(np.setdiff1d(np.arange(len(tracks.known)), enrolled))[:STRANGERS]
    pictures = tracks.pictures[enrolled]
    single = missed_at(*(_held(tracks.vectors[places], pictures, cohort) for places in (enrolled, others)))
    fused = missed_at(*(_held(whole[places][:, None], pictures, cohort) for places in (enrolled, others)))
    people = [Person(str(place), "") for place in enrolled]
    gallery = Gallery.of({person: row[None] for person, row in zip(people, pictures, strict=True)}, cohort=cohort)
    identifier = Identifier(calibration, IdentifierConfig(wanted_rate=WANTED))
    named = [bool(names_of(identifier, gallery, tracks.vectors[k], tracks.qualities[k])) for k in others]
    last = [names_of(identifier, gallery, tracks.vectors[k], tracks.qualities[k])[-1:] for k in enrolled]
    missed = [names != [str(place)] for names, place in zip(last, enrolled, strict=True)]
    known = [place for place, miss in zip(enrolled, missed, strict=True) if not miss]
    lent = [_keeps_the_name(identifier, gallery, tracks, *pair) for pair in zip(known, others, strict=False)]
    return single, fused, float(np.mean(named)), float(np.mean(missed)), float(np.mean(lent))


def _held(looks: Floats, pictures: Floats, cohort: Cohort) -> Floats:
    """How alike looks [N,L,D] and pictures [G,D] are [N,L,G]."""
    scores = cohort.likeness(looks.reshape(-1, looks.shape[-1]), pictures)
    return scores.reshape(*looks.shape[:2], len(pictures))


def _keeps_the_name(identifier: Identifier, gallery: Gallery, tracks: Passing, owner: int, stranger: int) -> bool:
    """Whether somebody who takes a track over is said to be whoever had it before."""
    vectors, qualities = (
        np.concatenate((looks[owner], looks[stranger][:AFTER])) for looks in (tracks.vectors, tracks.qualities)
    )
    return names_of(identifier, gallery, vectors, qualities)[-1] == str(owner)


def missed_at(mates: Floats, strangers: Floats) -> float:
    """The share of mates' looks [G,L,G] that don't reach their own person where WANTED of the strangers' [S,L,G] do."""
    threshold = float(np.quantile(strangers.max(2), 1 - WANTED))
    own = np.arange(len(mates))[:, None]
    return float(1 - ((mates.argmax(2) == own) & (mates.max(2) >= threshold)).mean())


def names_of(identifier: Identifier, gallery: Gallery, vectors: Floats, qualities: Floats) -> list[str]:
    """The people whom the identifier took the track for, one after the other; '' where it took a name back."""
    state, names = IdentityState(), list[str]()
    for vector, quality in zip(vectors, qualities, strict=True):
        state, _ = identifier.step(state, [Look(vector, float(quality))], gallery)
        if state.person_id != (names[-1] if names else ""):
            names.append(state.person_id)
    return names


def _fused(vectors: Floats, qualities: Floats, calibration: Calibration) -> Floats:
    state = FusedState()
    for vector, quality in zip(vectors, qualities, strict=True):
        state = fuse(state, vector, calibration.cosine(float(quality)))
    return state.vector
