"""The first stage: features of the frozen backbone, taken once and kept, and the linear layer fitted to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training import checkpoint
from training.classifiers.network import ClassifierNet
from training.classifiers.pictures import Labelled
from training.classifiers.recipe import HeadConfig, ViewConfig
from training.classifiers.views import middle, pixels, view
from training.place import Place

CHUNK = 64
"""Pictures whose features are kept together: what a kill loses at most."""
BATCH = 16


class Looker:
    """Takes the frozen backbone's features of pictures; they are kept in `cache`, so a restart goes on where it was."""

    def __init__(self, net: ClassifierNet, size: int, config: ViewConfig, seed: int, place: Place, cache: Path) -> None:
        self._net, self._size, self._config, self._seed, self._place = net, size, config, seed, place
        self._cache = cache

    def features(self, items: Sequence[Labelled], views: int) -> Tensor:
        """Features [views * N,F] of `views` looks at each item: all items as they are, then random windows of them."""
        self._cache.mkdir(parents=True, exist_ok=True)
        looks = [(place, number) for number in range(views) for place in range(len(items))]
        chunks = [looks[first : first + CHUNK] for first in range(0, len(looks), CHUNK)]
        bar = tqdm(chunks, desc="features", unit="chunk", disable=self._place.rank != 0)
        return torch.cat([self._chunk(items, chunk) for chunk in bar])

    def _chunk(self, items: Sequence[Labelled], looks: Sequence[tuple[int, int]]) -> Tensor:
        told = [(str(items[place].path), items[place].xyxy, number) for place, number in looks]
        key = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:24]
        path = self._cache / f"{key}.pt"
        kept = checkpoint.load(path)
        if kept is None:
            kept = {"features": self._run([self._look(items[place], place, number) for place, number in looks])}
            checkpoint.save(kept, path)
        return cast(Tensor, kept["features"])

    def _look(self, item: Labelled, place: int, number: int) -> NDArray[np.uint8]:
        picture = item.read()
        rng = np.random.default_rng((self._seed, place, number))
        return view(picture, self._size, self._config, rng) if number else middle(picture, self._size)

    @torch.no_grad()
    def _run(self, looks: Sequence[NDArray[np.uint8]]) -> Tensor:
        parts = []
        for first in range(0, len(looks), BATCH):
            batch = torch.stack([pixels(look) for look in looks[first : first + BATCH]])
            batch = batch.to(self._place.device).float().contiguous(memory_format=torch.channels_last)
            parts.append(self._net.features(batch).cpu())
        return torch.cat(parts)


@dataclass(frozen=True, slots=True)
class Looks:
    """Features [K,F] with the number of the true class of each, and how much each counts."""

    features: Tensor
    targets: Tensor
    shares: Tensor


def fit_head(known: Looks, held: Looks, config: HeadConfig, count: int) -> tuple[nn.Linear, float]:
    """The linear layer [F,C] that says least wrong of the features held out, and the penalty that it was fitted with.

    Features are brought to one size for the fit, and the layer back.
    """
    mean, deviation = known.features.mean(0), known.features.std(0).clamp(min=1e-4)
    alike = replace(known, features=(known.features - mean) / deviation, shares=known.shares / known.shares.sum())
    unknown = (held.features - mean) / deviation
    best: tuple[float, float, Tensor] | None = None
    for l2 in config.l2:
        weights = _fitted(alike, l2, config.most_iterations, count)
        loss = float(functional.cross_entropy(unknown @ weights[:-1] + weights[-1], held.targets))
        if best is None or loss < best[0]:
            best = (loss, l2, weights)
    assert best is not None
    _, l2, weights = best
    head = nn.Linear(len(mean), count)
    with torch.no_grad():
        head.weight.copy_((weights[:-1] / deviation[:, None]).T)
        head.bias.copy_(weights[-1] - (mean / deviation) @ weights[:-1])
    return head, l2


def _fitted(looks: Looks, l2: float, most: int, count: int) -> Tensor:
    """Logistic regression: weights [F+1,C], the biases last, that minimise the loss plus the penalty (L-BFGS)."""
    weights = torch.zeros(looks.features.shape[1] + 1, count, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=most, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = functional.cross_entropy(looks.features @ weights[:-1] + weights[-1], looks.targets, reduction="none")
        total = (each * looks.shares).sum() + l2 * weights[:-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()
