"""People (and vehicles) with identities, to learn appearance from: cut out of clips along their tracks.

Where a clip has boxes from people's hands these are followed, elsewhere the detector's; each followed object is an
identity. A picture that belongs to no clip gives identities of one look each, which only teachers can say more about.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stream.geometry import coverage
from stream.tracking import Detections, Tracker, TrackerState, distinct
from training.dataset import DataSet, Picture, read_picture, read_set
from training.predict import ExportedDetector
from training.recipe import SetConfig
from training.reid import ReidTeachers

Floats = NDArray[np.float32]

# A look is kept with a fifth of its box around it, so that training can move and turn the box.
MARGIN = 0.2
PATCH_HEIGHT, PATCH_WIDTH = 168, 84
# The vectors are for boxes that a tracker starts from or follows surely; less is often a part of somebody.
LEAST_CONFIDENCE = 0.4
LEAST_HEIGHT_PX = 24
# A box whose lower edge is higher stands behind; more than this covered, its pixels are somebody else's.
MOST_COVERED = 0.25


class ClipConfig(SetConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set of the recipe: with `fps` the frames of a clip (before `keep_step`), without it pictures on their own.

    `look_step` takes every so many frames' looks of a track. `labels_wanted` are those whose boxes are cut out.
    """

    fps: float = 0.0
    look_step: int = 1
    labels_wanted: tuple[str, ...] = ("person",)


@dataclass(frozen=True, slots=True)
class Looks:
    """N looks: `patches` uint8[N,PATCH_HEIGHT,PATCH_WIDTH,3] BGR with the margin around the box; what they are.

    `clips` and `tracks` int64[N] number the set and the identity (over all sets), `frames` the clip's picture.
    `height_px` [N] is the box's height in a detector's input, `aspect` [N] its width over that. `taught` float32[N,D]
    is the teachers' vector, zeros for what they don't know; `clear` whether nobody stands in front.
    """

    patches: NDArray[np.uint8]
    clips: NDArray[np.int64]
    tracks: NDArray[np.int64]
    frames: NDArray[np.int64]
    height_px: Floats
    aspect: Floats
    taught: Floats
    clear: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.patches)

    def where(self, keep: NDArray[np.bool_]) -> Looks:
        """The chosen looks."""
        return Looks(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class _Look:
    patch: Picture
    track: int
    frame: int
    height_px: float
    aspect: float
    taught: Floats
    clear: bool


def gather(
    clips: Sequence[ClipConfig],
    detector: ExportedDetector,
    labels: Sequence[str],
    teachers: ReidTeachers,
    data: Path,
    cache: Path,
) -> Looks:
    """The looks of all sets; each set's are kept in `cache` and read from there the next time."""
    found: list[Looks] = []
    for number, clip in enumerate(clips):
        made = _of_set(clip, detector, labels, teachers, data, cache)
        first = max((int(looks.tracks.max()) + 1 for looks in found if len(looks)), default=0)
        found.append(
            Looks(
                **{name: getattr(made, name) for name in made.__dataclass_fields__ if name not in ("clips", "tracks")},
                clips=np.full(len(made), number),
                tracks=made.tracks + first,
            )
        )
    return Looks(*(np.concatenate([getattr(one, name) for one in found]) for name in found[0].__dataclass_fields__))


def _of_set(
    clip: ClipConfig, detector: ExportedDetector, labels: Sequence[str], teachers: ReidTeachers, data: Path, cache: Path
) -> Looks:
    key = zlib.crc32(msgspec.json.encode(clip))
    path = cache / f"looks-{clip.name}-{key:08x}.npz"
    if not path.exists():
        base = SetConfig(**{name: getattr(clip, name) for name in SetConfig.__struct_fields__})
        looks = list(_looks(clip, read_set(base, data, cache, labels), detector, labels, teachers))
        cache.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".partial").open("wb") as file:
            np.savez(file, **_columns(looks))
        path.with_suffix(".partial").replace(path)
    with np.load(path) as stored:
        return Looks(clips=np.zeros(len(stored["tracks"]), np.int64), **stored)


def _columns(looks: Sequence[_Look]) -> dict[str, NDArray[np.generic]]:
    return {
        "patches": np.array([one.patch for one in looks], np.uint8).reshape(-1, PATCH_HEIGHT, PATCH_WIDTH, 3),
        "tracks": np.array([one.track for one in looks], np.int64),
        "frames": np.array([one.frame for one in looks], np.int64),
        "height_px": np.array([one.height_px for one in looks], np.float32),
        "aspect": np.array([one.aspect for one in looks], np.float32),
        "taught": np.array([one.taught for one in looks], np.float32),
        "clear": np.array([one.clear for one in looks], np.bool_),
    }


def _looks(
    clip: ClipConfig, pictures: DataSet, detector: ExportedDetector, labels: Sequence[str], teachers: ReidTeachers
) -> Iterator[_Look]:
    tracker, state, next_id = Tracker(), TrackerState(), 0
    for index, sample in enumerate(tqdm(pictures.samples, desc=f"looks of {clip.name}")):
        picture = read_picture(sample.path)
        at_ms = round(1000 * index * clip.keep_step / clip.fps) if clip.fps else 0
        frame = _boxes(clip, picture, sample.xyxy, detector, labels, at_ms)
        taught = _taught(picture, frame, teachers)
        if clip.fps:
            state, tracks = tracker.step(state, replace(frame, embeddings=taught))
            identities = {track.detection: track.track_id for track in tracks if track.detection is not None}
        else:
            identities = {place: next_id + place for place in range(len(frame))}
            next_id += len(frame)
        if index % clip.look_step == 0:
            yield from _cut(picture, frame, identities, taught, index, detector.size)


def _boxes(
    clip: ClipConfig, picture: Picture, labelled: Floats, detector: ExportedDetector, labels: Sequence[str], at_ms: int
) -> Detections:
    """The boxes to be followed: people's own where the set has them, else the detector's."""
    height, width = picture.shape[:2]
    if clip.labels:
        names = ("person",) * len(labelled)
        return Detections(
            at_ms, labelled.astype(np.float64), np.ones(len(labelled)), names, picture=(float(width), float(height))
        )
    xyxy, confidence, classes = detector.detect(picture)
    names = tuple(labels[label] for label in classes)
    sure = np.array([name in clip.labels_wanted for name in names], np.bool_) & (confidence >= LEAST_CONFIDENCE)
    kept = np.flatnonzero(sure)
    kept = kept[distinct(xyxy[kept].astype(np.float64), confidence[kept], [names[k] for k in kept])]
    return Detections(
        at_ms,
        xyxy[kept].astype(np.float64),
        confidence[kept].astype(np.float64),
        tuple(names[k] for k in kept),
        picture=(float(width), float(height)),
    )


def _taught(picture: Picture, frame: Detections, teachers: ReidTeachers) -> Floats:
    """What the teachers say of each person [N,D]; zeros for other things, which they don't know."""
    rows = [
        teachers.look(_window(picture, box, 0.0)) if label == "person" else np.zeros(teachers.width, np.float32)
        for box, label in zip(frame.xyxy, frame.labels, strict=True)
    ]
    return np.array(rows, np.float32).reshape(len(frame), teachers.width)


def _cut(
    picture: Picture, frame: Detections, identities: dict[int, int], taught: Floats, index: int, size: int
) -> Iterator[_Look]:
    scale = size / max(picture.shape[:2])
    hidden = _hidden(frame.xyxy)
    for place, identity in identities.items():
        x1, y1, x2, y2 = frame.xyxy[place]
        if (y2 - y1) * scale < LEAST_HEIGHT_PX:
            continue
        patch = cv2.resize(
            _window(picture, frame.xyxy[place], MARGIN), (PATCH_WIDTH, PATCH_HEIGHT), interpolation=cv2.INTER_AREA
        )
        clear = bool(hidden[place] <= MOST_COVERED)
        yield _Look(patch, identity, index, (y2 - y1) * scale, (x2 - x1) / (y2 - y1), taught[place], clear)


def _hidden(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest share [N] of each box that one nearer box (with a lower lower edge) covers."""
    nearer = xyxy[None, :, 3] > xyxy[:, None, 3]
    return np.asarray((coverage(xyxy, xyxy) * nearer).max(axis=1, initial=0.0))


def _window(picture: Picture, xyxy: NDArray[np.float64], margin: float) -> Picture:
    """The box with a share of its sides around it; what lies outside the picture repeats its edge."""
    x1, y1, x2, y2 = xyxy
    around_x, around_y = margin * (x2 - x1), margin * (y2 - y1)
    left, top = round(float(x1 - around_x)), round(float(y1 - around_y))
    right, bottom = max(left + 1, round(float(x2 + around_x))), max(top + 1, round(float(y2 + around_y)))
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    return np.asarray(picture[rows[:, None], columns])
