"""How probable each label is for pictures to a head that has learnt none of their group: what it says by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.classifiers.head import Looker, Looks, fit_head
from training.classifiers.measures import softmax
from training.classifiers.network import open_network, with_labels
from training.classifiers.pictures import Labelled, Pictures
from training.classifiers.recipe import ClassifierRecipe
from training.classifiers.train import FEATURES, shares_of
from training.place import Place

FOLDS = 5


def unlearnt(recipe: ClassifierRecipe, data: Path, pictures: Pictures, out: Path) -> dict[Path, dict[str, float]]:
    """The probability of each label, by path, for what is not `old`; the training has kept the features in `out`."""
    net = with_labels(open_network(recipe.network, data), len(pictures.labels))
    place = Place(torch.device("cpu"))  # the features are there
    looker = Looker(net, recipe.network.size, recipe.view, recipe.seed, place, out / FEATURES)
    parts = [own for part in ("train", "validate", "test") if (own := pictures.of(part))]
    items = [one for part in parts for one in part]
    rows = judged(recipe, items, torch.cat([looker.features(part, 1) for part in parts]), pictures.targets(items))
    return {
        one.path: dict(zip(pictures.labels, row.tolist(), strict=True))
        for one, row in zip(items, rows, strict=True)
        if not one.old and not np.isnan(row).any()
    }


def judged(
    recipe: ClassifierRecipe, items: Sequence[Labelled], features: Tensor, targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The probabilities [N,C] of features [N,F] whose labels are `targets`; NaN of those for whom too little is left.

    Five heads: each learns all groups but two fifths, chooses its penalty by one of these and judges the other.
    """
    folds, count = _folds(items, recipe.seed), len(recipe.labels)
    found = np.full((len(items), count), np.nan)
    labels = torch.from_numpy(targets)
    for fold in range(FOLDS):
        own, held = (np.flatnonzero(folds == number % FOLDS) for number in (fold, fold + 1))
        rest = np.setdiff1d(np.arange(len(items)), [*own, *held])
        if not len(own) or not len(held) or len(set(targets[rest])) < count:
            continue
        shares = torch.from_numpy(shares_of(recipe, [items[number] for number in rest])).float()
        beside = Looks(features[held], labels[held], torch.ones(len(held)))
        head, _ = fit_head(Looks(features[rest], labels[rest], shares), beside, recipe.head, count)
        with torch.no_grad():
            found[own] = softmax(np.asarray(head(features[own]).numpy(), np.float64))
    return found


def _folds(items: Sequence[Labelled], seed: int) -> NDArray[np.int64]:
    """The fold [N] of each item: groups in an order that the seed says, by turns."""
    order = sorted({one.group for one in items}, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    fold = {name: number % FOLDS for number, name in enumerate(order)}
    return np.array([fold[one.group] for one in items], np.int64)
