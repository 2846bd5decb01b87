"""The stream of training pictures as a pure function of (seed, position): a restart goes on with the next one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.augment import Labelled, augment
from training.dataset import DataSet, Picture, Sample, read_picture
from training.loss import Targets
from training.recipe import DetectorRecipe

# What one process keeps decoded: about 3,000 pictures of 624x416.
MOST_DECODED_BYTES = 2 << 30


class TrainingPictures(Dataset[tuple[Tensor, Targets]]):
    """Item k is the k-th augmented picture of the run; which samples go into it is drawn from Generator((seed, k)).

    Of a recipe with `windows` the first so many come again and again, in the same batches, and are kept in memory.
    """

    def __init__(self, sets: Sequence[DataSet], recipe: DetectorRecipe, length: int) -> None:
        self._sets = [item for item in sets if item.config.weight > 0]
        weights = np.array([item.config.weight for item in self._sets])
        self._shares = weights / weights.sum()
        self._recipe = recipe
        self._length = length
        self._decoded: dict[Path, tuple[Picture, float]] = {}
        self._decoded_bytes = 0
        self._windows: dict[int, tuple[Tensor, Targets]] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Targets]:
        if not self._recipe.windows:
            return self._made(index)
        window = index % self._recipe.windows
        if window not in self._windows:
            self._windows[window] = self._made(window)
        return self._windows[window]

    def _made(self, index: int) -> tuple[Tensor, Targets]:
        rng = np.random.default_rng((self._recipe.seed, index))
        count = 4 if rng.random() < self._recipe.augment.mosaic else 1
        parts = [self._draw(rng) for _ in range(count)]
        made = augment(parts, self._recipe.size, self._recipe.crop, self._recipe.augment, rng)
        targets = Targets(
            torch.from_numpy(made.xyxy),
            torch.from_numpy(made.channels),
            torch.from_numpy(made.weights),
            made.distil,
            made.partly,
            index,
        )
        return torch.from_numpy(made.picture).permute(2, 0, 1), targets

    def _draw(self, rng: np.random.Generator) -> Labelled:
        chosen = self._sets[int(rng.choice(len(self._sets), p=self._shares))]
        sample: Sample = chosen.samples[int(rng.integers(len(chosen.samples)))]
        picture, scale = self._picture(sample.path)
        boxes = sample.xyxy * scale
        return Labelled(picture, boxes, sample.channels, sample.weights, chosen.config.distil, sample.partly)

    def _picture(self, path: Path) -> tuple[Picture, float]:
        """The picture no larger than augmentation ever asks for, and its scale; decoded once while memory lasts."""
        kept = self._decoded.get(path)
        if kept is None:
            picture = read_picture(path)
            scale = min(1.0, self._recipe.size * self._recipe.augment.scale[1] / max(picture.shape[:2]))
            if scale < 1:
                picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            kept = picture, scale
            if self._decoded_bytes + picture.nbytes <= MOST_DECODED_BYTES:
                self._decoded[path] = kept
                self._decoded_bytes += picture.nbytes
        return kept


def collate(items: Sequence[tuple[Tensor, Targets]]) -> tuple[Tensor, list[Targets]]:
    """Pictures uint8[N,3,S,S] and their targets."""
    pictures, targets = zip(*items, strict=True)
    return torch.stack(pictures), list(targets)
