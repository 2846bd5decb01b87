"""Whether a face may be enrolled: which of a picture's faces, good enough to be known by, and like nobody else's.

No threshold is a number of ours: what a look is worth and how alike strangers look comes from the embedder's
calibration, for the rate of wrong names that the site wants and the size of its gallery.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from archive.people.pictures import crop
from contracts.fields import Xyxy
from stream.geometry import iou
from stream.identity import Calibration, Gallery, IdentifierConfig
from stream.identity.gallery import Vector
from stream.vision.faces import REFERENCE, FaceLook, similarity
from stream.vision.image import Picture

Reason = Literal["no_face", "several_faces", "too_small", "low_quality", "same_picture", "someone_else"]

MAX_ENLARGED = 3.0
"""The embedder sees faces of 112 px: enlarged so many times they had 37 px, the eyes 12 px apart. At 32 px the model
card has six times the misses of clean faces."""
SMALL = 2.0
"""From there on a bad quality is the size's fault: the advice is to come nearer, not to hold still."""
SAME_PICTURE = 0.92
"""A photograph scaled or compressed again meets itself above (5 % of 180 fall below .96), two photographs of one person
below (270 pairs of lfw10x10: .87 at most)."""

GROWN = 100
"""Pictures that any gallery may come to have: a first one has to do then as well."""


@dataclass(frozen=True)
class Candidate:
    """What may be enrolled: a unit vector float32[D], the cosine that it is expected to have with its person, and the
    face as JPEG (b"" where there is no picture any more)."""

    vector: Vector
    strength: float
    crop: bytes = b""


class SeenFace(msgspec.Struct, frozen=True, kw_only=True):
    """A face of a picture: its box as shares of the picture (0-1), and how good it is (0-1)."""

    xyxy: Xyxy
    quality: float


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a picture can't be enrolled, in words for whoever brought it.

    For `someone_else` and `same_picture`: who it is like, the cosine, and the share of strangers who look so alike.
    """

    reason: Reason
    text: str
    person_id: str = ""
    score: float = 0.0
    strangers: float = 1.0


@dataclass(frozen=True)
class Examined:
    """What a picture shows. `chosen` is the face that is meant; `candidate` is there unless no face could be chosen."""

    faces: tuple[SeenFace, ...]
    chosen: int | None = None
    candidate: Candidate | None = None
    refusal: Refusal | None = None


class Enrolment:
    """The rules of enrolment. `wanted_rate` is the share of strangers' tracks that may be given a name."""

    def __init__(self, calibration: Calibration, wanted_rate: float) -> None:
        self._calibration = calibration
        self._rate = wanted_rate

    def examine(
        self, picture: Picture, looks: tuple[FaceLook, ...], *, chosen: int | None = None, near: Xyxy | None = None
    ) -> Examined:
        """Choose a face: number `chosen`, the one that lies best in the box `near` (px), or the only one there is.

        It is held against nobody yet: see `refusal`.
        """
        height, width = picture.shape[:2]
        faces = tuple(
            SeenFace(
                xyxy=tuple(np.clip(np.divide(look.face.xyxy, (width, height, width, height)), 0, 1).tolist()),
                quality=min(max(look.quality, 0.0), 1.0),
            )
            for look in looks
        )
        if near is not None and chosen is None:
            chosen = _nearest(looks, near)
        elif chosen is None and len(looks) == 1:
            chosen = 0
        if chosen is None or not 0 <= chosen < len(looks):
            return Examined(faces, refusal=_nobody(len(looks), near))
        look = looks[chosen]
        strength = self._calibration.cosine(look.quality)
        made = Candidate(np.asarray(look.vector, np.float32), strength, crop(picture, look.face.xyxy))
        return Examined(faces, chosen, made, _too_small(look) or self._too_poor(made, look))

    def refusal(
        self, candidate: Candidate, gallery: Gallery, *, person_id: str = "", sure: bool = False
    ) -> Refusal | None:
        """Why this can't be a picture of `person_id` ("": of somebody new); None where it can.

        `sure` is an operator's word that it is nobody else, however alike they look.
        """
        count = len(gallery.vectors)
        if weak := self._too_weak(candidate, count + 1):
            return weak
        if not count:
            return None
        scores, cosines = gallery.scores(candidate.vector), gallery.cosines(candidate.vector)
        for place, person in enumerate(gallery.people):
            if person.id == person_id and cosines[place] >= SAME_PICTURE:
                text = f"this very picture of {person.name} is enrolled already"
                return Refusal(reason="same_picture", text=text, person_id=person.id, score=float(cosines[place]))
        others = [place for place, person in enumerate(gallery.people) if person.id != person_id]
        if sure or not others:
            return None
        best = max(others, key=lambda place: float(scores[place]))
        score = float(scores[best])
        if score < self._calibration.threshold(candidate.strength, self._rate, count):
            return None
        person, strangers = gallery.people[best], self._calibration.strangers(candidate.strength, score, count)
        text = f"this face is too like {person.name} ({score:.2f}): {_one_in(strangers)} would look so alike"
        return Refusal(reason="someone_else", text=text, person_id=person.id, score=score, strangers=strangers)

    def _too_poor(self, candidate: Candidate, look: FaceLook) -> Refusal | None:
        if self._power(candidate.strength, GROWN) >= IdentifierConfig().power:
            return None
        if _enlarged(look) >= SMALL:
            return _small(look)
        text = "the face is too blurred, dark or turned away to be known by: take a sharp one, from the front"
        return Refusal(reason="low_quality", text=text)

    def _too_weak(self, candidate: Candidate, pictures: int) -> Refusal | None:
        """What suffices for a small gallery may not for a large one, where strangers have more people to be like."""
        if self._power(candidate.strength, max(pictures, GROWN)) >= IdentifierConfig().power:
            return None
        text = "this look is not good enough to be known by among so many people: take a sharper picture"
        return Refusal(reason="low_quality", text=text)

    def _power(self, strength: float, pictures: int) -> float:
        """The share of clear looks at the person that this picture would be enough to name them by.

        Two looks with cosines p and q to their person meet at p·q; a clear look has the calibration's best cosine.
        """
        clear = self._calibration.cosines[-1]
        level = self._calibration.level(clear)
        threshold = self._calibration.threshold(clear, self._rate, pictures)
        return 0.5 * math.erfc((threshold - strength * clear) / (level.genuine_std * math.sqrt(2)))


def _nobody(faces: int, near: Xyxy | None) -> Refusal:
    if faces == 0 or near is not None:
        where = " there" if faces else " in this picture"
        return Refusal(reason="no_face", text=f"no face is to be found{where}: it has to be seen from the front")
    return Refusal(
        reason="several_faces", text=f"there are {faces} faces in this picture: choose the one that is meant"
    )


def _too_small(look: FaceLook) -> Refusal | None:
    return _small(look) if _enlarged(look) > MAX_ENLARGED else None


def _small(look: FaceLook) -> Refusal:
    x1, y1, x2, y2 = look.face.xyxy
    text = f"the face is too small ({x2 - x1:.0f} x {y2 - y1:.0f} pixels): come nearer, or bring a larger picture"
    return Refusal(reason="too_small", text=text)


def _enlarged(look: FaceLook) -> float:
    """How many times the face is enlarged to be aligned."""
    matrix = similarity(look.face.points, REFERENCE)
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def _nearest(looks: tuple[FaceLook, ...], near: Xyxy) -> int | None:
    """The face that overlaps the box most, else the first whose centre lies in it (a box may be the whole person)."""
    if not looks:
        return None
    overlaps = iou([look.face.xyxy for look in looks], [near])[:, 0]
    if overlaps.max() >= 0.3:
        return int(overlaps.argmax())
    x1, y1, x2, y2 = near
    for place, look in enumerate(looks):
        left, top, right, bottom = look.face.xyxy
        if x1 <= (left + right) / 2 <= x2 and y1 <= (top + bottom) / 2 <= y2:
            return place
    return None


def _one_in(share: float) -> str:
    """A share of strangers as a person says it."""
    return f"one stranger in {round(1 / share):,}" if share > 1e-6 else "less than one stranger in a million"
