"""Looks in variations for the appearance head: the same thing from further away, in other light, with worse boxes.

A variation is a pass over all looks: each clip in a light of its own and, in every second pass, each track in other
colours. Looks are laid out on sheets of the detector's input size, so that a pass costs few runs of the backbone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.tracklets import MARGIN, Looks

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

# A batch: so many clips, of each so many tracks with so many looks; and single pictures, each twice.
CLIPS, TRACKS, LOOKS_A_TRACK, SINGLES = 2, 14, 4, 24
LEAST_HEIGHT_PX = 20.0
GREY = 114  # what the letterbox fills with


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture uint8[S,S,3] full of looks, and their boxes xyxy float32[K,4] in it, in the looks' order."""

    picture: Picture
    boxes: Floats


def sheets(looks: Looks, size: int, seed: int, variation: int) -> Iterator[Sheet]:
    """All looks in their order, as one variation (0: as they are) shows them."""
    rng = np.random.default_rng((seed, variation))
    lights = {int(clip): _Light(rng) for clip in np.unique(looks.clips)}
    paints = {int(track): _Paint(rng) for track in np.unique(looks.tracks)} if variation and variation % 2 == 0 else {}
    page = _Page(size)
    for row in range(len(looks)):
        patch = looks.patches[row]
        height = min(float(looks.height_px[row]), size / 1.5)
        shift = np.zeros(4)
        if variation:
            track = int(looks.tracks[row])
            patch = paints[track].on(patch) if track in paints else patch
            most = max(height * 1.1, LEAST_HEIGHT_PX * 1.2)
            height = min(float(np.exp(rng.uniform(np.log(LEAST_HEIGHT_PX), np.log(most)))), size / 1.5)
            shift = rng.normal(0, 0.04, 4)
        small = _shrink(patch, height, float(looks.aspect[row]))
        if variation:
            small = _spoil(lights[int(looks.clips[row])].on(small, rng), rng)
        if not page.room(small):
            yield page.sheet()
            page = _Page(size)
        page.lay(small, shift)
    yield page.sheet()


def repainted(variation: int) -> bool:
    """Whether the tracks of a variation wear other colours, of which the teachers have said nothing."""
    return variation > 0 and variation % 2 == 0


class _Page:
    """A sheet that is being filled row by row."""

    def __init__(self, size: int) -> None:
        self._picture = np.full((size, size, 3), GREY, np.uint8)
        self._boxes: list[NDArray[np.float64]] = []
        self._x = self._y = self._row = 0

    def room(self, patch: Picture) -> bool:
        """Whether the patch fits, in this row or the next; an empty page takes anything."""
        size = len(self._picture)
        if self._x + patch.shape[1] > size:
            self._x, self._y, self._row = 0, self._y + self._row, 0
        return self._y + patch.shape[0] <= size or not self._boxes

    def lay(self, patch: Picture, shift: NDArray[np.float64]) -> None:
        """Put it down; the sides of its box (without the margin) are moved by these shares of it."""
        room = self._picture[self._y :, self._x :]
        patch = patch[: room.shape[0], : room.shape[1]]
        height, width = patch.shape[:2]
        room[:height, :width] = patch
        sides = np.array([width, height, width, height])
        share = np.array([MARGIN, MARGIN, 1 + MARGIN, 1 + MARGIN]) + shift
        self._boxes.append(sides * share / (1 + 2 * MARGIN) + np.array([self._x, self._y] * 2))
        self._x, self._row = self._x + width, max(self._row, height)

    def sheet(self) -> Sheet:
        return Sheet(self._picture, np.array(self._boxes, np.float32).reshape(-1, 4))


@dataclass(frozen=True, slots=True)
class Batch:
    """The numbers of looks and their variations [N], and what is known of pairs.

    `same` and `other` bool[N,N]: certainly one thing, certainly two. Two tracks of one clip that were never there at
    once may be one person who came back: neither.
    """

    looks: NDArray[np.int64]
    variations: NDArray[np.int64]
    same: NDArray[np.bool_]
    other: NDArray[np.bool_]


class Batches:
    """The stream of batches as a pure function of (seed, position)."""

    def __init__(self, looks: Looks, seed: int, variations: int = 1) -> None:
        self._looks = looks
        self._seed = seed
        self._variations = variations
        rows = np.arange(len(looks))
        self._tracks = {int(track): rows[looks.tracks == track] for track in np.unique(looks.tracks)}
        self._span = {t: (looks.frames[r].min(), looks.frames[r].max()) for t, r in self._tracks.items()}
        long = [track for track, own in self._tracks.items() if len(own) >= 3]
        clip_of = {track: int(looks.clips[own[0]]) for track, own in self._tracks.items()}
        self._of_clip = {
            clip: [track for track in long if clip_of[track] == clip] for clip in sorted({clip_of[t] for t in long})
        }
        self._singles = rows[np.isin(looks.tracks, long, invert=True)]
        # A clip counts by the root of its tracks: forty people on a street say more than one in a room, not 40 times.
        roots = np.array([len(tracks) ** 0.5 for tracks in self._of_clip.values()])
        self._shares = roots / roots.sum() if len(roots) else roots

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self._seed, index))
        rows: list[int] = []
        variations: list[int] = []
        count = min(CLIPS, len(self._of_clip))
        clips = rng.choice(list(self._of_clip), size=count, replace=False, p=self._shares) if count else ()
        for clip in clips:  # none where nobody is seen three times: then only who is seen under several lights counts
            own = self._of_clip[int(clip)]
            for track in rng.choice(own, size=min(TRACKS, len(own)), replace=False):
                rows += rng.choice(self._tracks[int(track)], size=LOOKS_A_TRACK).tolist()
            # One light for a clip: colours are what tells its people apart.
            variations += [int(rng.integers(self._variations))] * (len(rows) - len(variations))
        if len(self._singles):
            singles = rng.choice(self._singles, size=min(SINGLES, len(self._singles)), replace=False)
            rows += np.repeat(singles, 2).tolist()
            plain = [v for v in range(self._variations) if not repainted(v)]
            variations += rng.choice(plain, size=2 * len(singles)).tolist()
        places = np.array(rows)
        same, other = self.known(places)
        return Batch(places, np.array(variations), same, other)

    def known(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which pairs [N,N] of looks are one thing for sure, which are two."""
        looks = self._looks
        tracks, clips = looks.tracks[rows], looks.clips[rows]
        spans = np.array([self._span[int(track)] for track in tracks])
        overlap = (spans[:, None, 0] <= spans[None, :, 1]) & (spans[None, :, 0] <= spans[:, None, 1])
        same = tracks[:, None] == tracks[None, :]
        return same, ~same & (overlap | (clips[:, None] != clips[None, :]))


class _Light:
    """How one camera sees: the same for all of a batch's looks of a clip, since colours are what tells people apart."""

    def __init__(self, rng: Generator) -> None:
        self._gain = np.exp(rng.normal(0, 0.12, 3) + rng.normal(0, 0.2))
        self._lift = rng.normal(0, 10)
        self._grey = float(rng.choice([0.0, rng.uniform(0, 0.6)], p=[0.7, 0.3]))
        self._noise = float(rng.choice([0.0, rng.uniform(0, 8)]))

    def on(self, patch: Picture, rng: Generator) -> Picture:
        """The patch in this light, each look a little different."""
        own = np.exp(rng.normal(0, 0.04, 3) + rng.normal(0, 0.08))
        pixels = patch.astype(np.float32) * (self._gain * own) + self._lift
        pixels += self._grey * (pixels.mean(axis=2, keepdims=True) - pixels)
        if self._noise:
            pixels += rng.normal(0, self._noise, pixels.shape)
        if rng.random() < 0.15:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.2))
        return np.clip(pixels, 0, 255).astype(np.uint8)


class _Paint:
    """Other clothes for one track: hue, saturation and brightness turned far, the same in all of its looks."""

    def __init__(self, rng: Generator) -> None:
        self._hue = int(rng.integers(0, 180))
        self._gains = rng.uniform(0.5, 1.5, 2)

    def on(self, patch: Picture) -> Picture:
        """The patch in other colours."""
        hsv = cv2.cvtColor(patch, cv2.COLOR_BGR2HSV).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + self._hue) % 180
        hsv[..., 1:] = np.clip(hsv[..., 1:] * self._gains, 0, 255)
        return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR))


def _shrink(patch: Picture, height: float, aspect: float) -> Picture:
    """The patch as a detector's input holds it when the box is `height` px high."""
    whole = 1 + 2 * MARGIN
    size = max(4, round(whole * height * aspect)), max(8, round(whole * height))
    return np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA))


def _spoil(patch: Picture, rng: Generator) -> Picture:
    """Compressed, mirrored or partly covered, now and then."""
    if rng.random() < 0.3:
        encoded = cv2.imencode(".jpg", patch, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])[1]
        patch = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    if rng.random() < 0.5:
        patch = np.ascontiguousarray(patch[:, ::-1])
    if rng.random() < 0.25:
        height, width = patch.shape[:2]
        high, wide = int(rng.uniform(0.2, 0.5) * height), int(rng.uniform(0.2, 0.5) * width)
        top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
        patch[top : top + high, left : left + wide] = rng.integers(0, 256, 3)
    return patch
