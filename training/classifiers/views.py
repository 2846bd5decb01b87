"""Looks at a picture: the square middle that the model is used on, and the random windows that it learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from stream.vision.faces import shrunk
from training.augment import spoil
from training.classifiers.pictures import Labelled
from training.classifiers.recipe import ViewConfig
from training.dataset import Picture


def middle(picture: Picture, size: int) -> Picture:
    """The square middle of a picture, `size` px large: all of what is square already, as the stream's crops are."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return shrunk(picture[top : top + side, left : left + side], (size, size))


def view(picture: Picture, size: int, config: ViewConfig, rng: Generator) -> Picture:
    """A random look: a window of the middle's square and a little beyond, mirrored, with a camera's faults."""
    height, width = picture.shape[:2]
    side = min(height, width)
    area, shape = rng.uniform(*config.area), np.exp(rng.uniform(-1, 1) * np.log(config.shape))
    wide = min(width, max(1, round(side * np.sqrt(area * shape))))
    high = min(height, max(1, round(side * np.sqrt(area / shape))))
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
    window = shrunk(picture[top : top + high, left : left + wide], (size, size))
    if rng.random() < config.flip:
        window = np.ascontiguousarray(window[:, ::-1])
    return spoil(window, config.faults, rng)


class Views(Dataset[tuple[Tensor, int]]):
    """Item k is the k-th look of the run, BGR uint8[3,S,S], and the number of its item: a function of (seed, k) alone.

    `shares` float64[N] is how likely each item is drawn.
    """

    def __init__(
        self,
        items: Sequence[Labelled],
        shares: NDArray[np.float64],
        size: int,
        config: ViewConfig,
        seed: int,
        length: int,
    ) -> None:
        self._items, self._shares, self._size = items, shares / shares.sum(), size
        self._config, self._seed, self._length = config, seed, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng((self._seed, index))
        place = int(rng.choice(len(self._items), p=self._shares))
        return pixels(view(self._items[place].read(), self._size, self._config, rng)), place


def pixels(picture: Picture) -> Tensor:
    """uint8[S,S,3] as a tensor uint8[3,S,S]."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
