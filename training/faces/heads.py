"""The localiser's training windows: heads in the field, places without one, aligned faces; clean and spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from training.augment import spoil
from training.dataset import DataSet, Picture, read_picture
from training.faces.people import SIDE, Faces
from training.faces.recipe import HeadsConfig, LocaliserRecipe
from training.faces.teachers import FaceBoxes
from training.faces.yunet import POINTS
from training.loss import Targets

Floats = NDArray[np.float32]

# The left and right of a face change places in its mirror image: eyes, nose, corners of the mouth.
MIRRORED = (1, 0, 2, 4, 3)
# A window may hold a face of this many pixels without being told apart from an empty one.
LEAST_FACE_PX = 6.0
EMPTY_TRIES = 10
# Grey beyond a picture's edge, as the detector's letterbox has it: reflected faces would be faces without a label.
BEYOND = (114, 114, 114)


@dataclass(frozen=True, slots=True)
class Window:
    """A clean window uint8[S,S,3] and its faces: xyxy [N,4], scores [N], points [N,5,2] (NaN where unknown).

    `labelled` is false where nobody looked for faces: then only the start's opinion of the clean window counts.
    """

    picture: Picture
    xyxy: Floats
    scores: Floats
    points: Floats
    labelled: bool = True


@dataclass(frozen=True, slots=True)
class HeadTargets:
    """What one window should say: the detector's targets, and points [N,5,2] with weights [N] (0: not known)."""

    faces: Targets
    points: Tensor
    known: Tensor


class HeadWindows(Dataset[tuple[Tensor, Tensor, HeadTargets]]):
    """Item k is the k-th window of the run: spoilt and clean pixels uint8[3,S,S], and the targets."""

    def __init__(
        self, sets: Sequence[DataSet], labels: dict[str, FaceBoxes], faces: Faces, recipe: LocaliserRecipe, length: int
    ) -> None:
        self._sets = [item for item in sets if item.config.weight > 0]
        weights = np.array([item.config.weight for item in self._sets])
        self._shares = weights / weights.sum()
        self._labels = labels
        self._faces = faces
        self._recipe = recipe
        self._length = length
        self._decoded: dict[str, Picture] = {}  # a few hundred pictures, each of which is cut many times

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, HeadTargets]:
        rng = np.random.default_rng((self._recipe.seed, index))
        config = self._recipe.heads
        window = self._aligned(rng) if rng.random() < config.aligned else self._from_picture(rng)
        if rng.random() < config.flip:
            window = mirror(window)
        spoilt = _few_pixels(window, config, rng) if rng.random() < config.shrink else window.picture
        spoilt = spoil(spoilt, config.faults, rng)
        return _tensor(spoilt), _tensor(window.picture), targets_of(window, self._recipe)

    def _from_picture(self, rng: Generator) -> Window:
        chosen = self._sets[int(rng.choice(len(self._sets), p=self._shares))]
        sample = chosen.samples[int(rng.integers(len(chosen.samples)))]
        if sample.key not in self._decoded:
            self._decoded[sample.key] = read_picture(sample.path)
        picture, found = self._decoded[sample.key], self._labels[sample.key]
        config = self._recipe.heads
        sure = np.flatnonzero(found.scores >= self._recipe.sure)
        if len(sure) == 0 or rng.random() < config.empty:
            return _anywhere(picture, found, config, rng)
        box = found.xyxy[sure[int(rng.integers(len(sure)))]]
        height = float(box[3] - box[1])
        least, most = config.face
        wanted = float(np.exp(rng.uniform(np.log(least), np.log(min(most, max(least, height * config.enlarge))))))
        aim = rng.uniform(0.3, 0.7, 2) * config.window
        return cut(picture, found, (box[:2] + box[2:]) / 2, wanted / height, aim, config, rng)

    def _aligned(self, rng: Generator) -> Window:
        """An aligned face, alone."""
        config = self._recipe.heads
        face = self._faces.pictures[int(rng.integers(len(self._faces.pictures)))]
        nobody = FaceBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, POINTS, 2), np.float32))
        least, most = config.face
        scale = float(np.exp(rng.uniform(np.log(least), np.log(most)))) / SIDE
        aim = rng.uniform(0.4, 0.6, 2) * config.window
        window = cut(face, nobody, np.full(2, SIDE / 2), scale, aim, config, rng)
        return replace(window, labelled=False)


def cut(
    picture: Picture,
    found: FaceBoxes,
    centre: NDArray[np.floating],
    scale: float,
    aim: NDArray[np.floating],
    config: HeadsConfig,
    rng: Generator,
) -> Window:
    """The window in which the picture's point `centre` lies at `aim`, scaled and turned a little."""
    side = config.window
    matrix = cv2.getRotationMatrix2D(tuple(map(float, centre)), rng.normal(0, config.turn / 2), scale)
    matrix[:, 2] += aim - centre
    if scale < 0.7:  # bilinear sampling alone would alias: shrink with area weights first
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shrunk = matrix.copy()
        shrunk[:, 0] *= picture.shape[1] / small.shape[1]
        shrunk[:, 1] *= picture.shape[0] / small.shape[0]
        view = cv2.warpAffine(small, shrunk, (side, side), borderValue=BEYOND)
    else:
        view = cv2.warpAffine(picture, matrix, (side, side), borderValue=BEYOND)
    middles = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = (found.xyxy[:, 2:] - found.xyxy[:, :2]) / 2 * scale
    xyxy = np.concatenate((middles - halves, middles + halves), 1).astype(np.float32)
    points = (found.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    within = ((middles > 0) & (middles < side)).all(1)
    return Window(np.asarray(view, np.uint8), xyxy[within], found.scores[within], points[within])


def mirror(window: Window) -> Window:
    """The window as a mirror shows it."""
    side = window.picture.shape[1]
    xyxy, points = window.xyxy.copy(), window.points[:, MIRRORED].copy()
    xyxy[:, [0, 2]] = side - window.xyxy[:, [2, 0]]
    points[..., 0] = side - 1 - points[..., 0]
    return replace(window, picture=np.ascontiguousarray(window.picture[:, ::-1]), xyxy=xyxy, points=points)


def targets_of(window: Window, recipe: LocaliserRecipe) -> HeadTargets:
    """What is learnt from a window: unsure or tiny faces neither count nor are punished, points of large ones count."""
    side = float(window.picture.shape[1])
    heights = window.xyxy[:, 3] - window.xyxy[:, 1]
    weights = np.where((window.scores >= recipe.sure) & (heights >= LEAST_FACE_PX), 1.0, 0.0).astype(np.float32)
    keep = window.scores >= recipe.unsure
    xyxy, points = window.xyxy[keep], window.points[keep]
    known = (~np.isnan(points[:, 0, 0]) & (heights[keep] >= recipe.least_points)).astype(np.float32) * weights[keep]
    weights = weights[keep]
    if not window.labelled:  # one ignored box over everything
        xyxy, weights = np.array([[0, 0, side, side]], np.float32), np.zeros(1, np.float32)
        points, known = np.zeros((1, POINTS, 2), np.float32), np.zeros(1, np.float32)
    channels = torch.zeros(len(weights), dtype=torch.long)
    faces = Targets(torch.from_numpy(xyxy), channels, torch.from_numpy(weights), True)
    return HeadTargets(faces, torch.from_numpy(np.nan_to_num(points)), torch.from_numpy(known))


def collate(items: Sequence[tuple[Tensor, Tensor, HeadTargets]]) -> tuple[Tensor, Tensor, list[HeadTargets]]:
    """Spoilt and clean windows uint8[N,3,S,S] and their targets."""
    spoilt, clean, targets = zip(*items, strict=True)
    return torch.stack(spoilt), torch.stack(clean), list(targets)


def _anywhere(picture: Picture, found: FaceBoxes, config: HeadsConfig, rng: Generator) -> Window:
    """A window somewhere in the picture, without a likely face in it if one of some tries is."""
    height, width = picture.shape[:2]
    for _ in range(EMPTY_TRIES):
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(config.enlarge))))
        centre = rng.random(2) * (width, height)
        window = cut(picture, found, centre, scale, np.full(2, config.window / 2), config, rng)
        if not (window.scores >= 0.5).any():
            break
    return window


def _few_pixels(window: Window, config: HeadsConfig, rng: Generator) -> Picture:
    """The window as a camera with few pixels gives it: shrunk, compressed, enlarged again."""
    side = window.picture.shape[1]
    heights = window.xyxy[:, 3] - window.xyxy[:, 1]
    tallest = float(heights.max(initial=config.face[0]))
    least = min(1.0, max(config.shrunk_face / tallest, 0.15))
    small_side = max(8, round(side * float(np.exp(rng.uniform(np.log(least), 0.0)))))
    small = cv2.resize(window.picture, (small_side, small_side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.7:
        _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*config.quality))])
        small = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
