"""Trains a classifier: the head on kept features of the frozen backbone, then all of it; resumable after a kill."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from contracts.errors import ConfigError
from training.classifiers.head import BATCH, Looker, Looks, fit_head
from training.classifiers.measures import best_temperature, negative_log_likelihood, softmax
from training.classifiers.network import ClassifierNet, Trained, open_network, save_classifier, weights_of, with_labels
from training.classifiers.pictures import Labelled, Pictures, read_pictures
from training.classifiers.recipe import ClassifierRecipe, TuneConfig
from training.classifiers.views import Views, middle, pixels
from training.fit import Stop, Task, fit
from training.gate.sets import NOTHING, Frozen
from training.place import Place, find_place

FEATURES = "features"
"""Where in a run the backbone's features are kept."""


def read_data(
    recipe: ClassifierRecipe, data: Path, source: Path | Sequence[Labelled], frozen: Frozen = NOTHING
) -> Pictures:
    """The pictures that the recipe learns from and is measured with; paths of the recipe are under `data`."""
    replay = data / recipe.replay.pictures if recipe.replay is not None else None
    return read_pictures(
        source,
        recipe.labels,
        hold_out=recipe.hold_out,
        seed=recipe.seed,
        measure=recipe.measure,
        replay=replay,
        frozen=frozen,
    )


def train(recipe: ClassifierRecipe, data: Path, pictures: Pictures, out: Path) -> Path:
    """Train and write `out/weights.pt`; goes on where it was stopped.

    Raises ConfigError when the weights are not there, or `out` holds a run of another recipe.
    """
    place = find_place()
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    run = msgspec.json.encode((recipe, weights_of(recipe.network, data), pictures.labels, pictures.sha256))
    _own(out / "run.json", run)
    net = with_labels(open_network(recipe.network, data).to(place.device), len(pictures.labels))
    net.head, l2 = _head(net, recipe, pictures, place, out / FEATURES)
    net.to(place.device)
    if place.rank == 0:
        print(f"head: fitted with penalty {l2:g} to {pictures.told}")
    if recipe.tune is not None:
        net = cast(ClassifierNet, fit(net, _tuning(recipe, recipe.tune, pictures, place, run), place, out))
    held = pictures.of("validate")
    temperature = best_temperature(logits_of(net, held, recipe.network.size, place), pictures.targets(held))
    if place.rank == 0:
        save_classifier(Trained(recipe, pictures.labels, temperature, net.cpu()), out / "weights.pt")
    return out / "weights.pt"


def shares_of(recipe: ClassifierRecipe, items: Sequence[Labelled]) -> NDArray[np.float64]:
    """How much each training picture counts [N]: as its weight, its class and, of those of before, the replay want."""
    totals: dict[tuple[str, bool], float] = defaultdict(float)
    for one in items:
        totals[one.label, one.old] += one.weight
    balanced = recipe.class_weights == "balanced"
    shares = np.array([one.weight / (totals[one.label, one.old] if balanced else 1.0) for one in items])
    old = np.array([one.old for one in items])
    if recipe.replay is not None and old.any():
        shares[old] *= recipe.replay.share / shares[old].sum()
        shares[~old] *= (1 - recipe.replay.share) / shares[~old].sum()
    return np.asarray(shares / shares.sum())


@torch.inference_mode()
def logits_of(net: ClassifierNet, items: Sequence[Labelled], size: int, place: Place) -> NDArray[np.float64]:
    """The logits [N,C] of the pictures as they are."""
    parts = []
    for first in range(0, len(items), BATCH):
        looks = [pixels(middle(one.read(), size)) for one in items[first : first + BATCH]]
        batch = torch.stack(looks).to(place.device).float().contiguous(memory_format=torch.channels_last)
        parts.append(net(batch).cpu())
    return np.asarray(torch.cat(parts).numpy(), np.float64)


def _own(path: Path, run: bytes) -> None:
    """Say whose folder it is; ConfigError when it is another run's."""
    digest = hashlib.sha256(run).hexdigest()
    if path.exists() and path.read_text().strip() != digest:
        raise ConfigError("out", f"{path.parent.name} holds a run of another recipe or other data: use another folder")
    path.write_text(digest + "\n")


def _head(
    net: ClassifierNet, recipe: ClassifierRecipe, pictures: Pictures, place: Place, cache: Path
) -> tuple[nn.Linear, float]:
    """The first stage; the backbone stays as it is."""
    items, held = pictures.of("train"), pictures.of("validate")
    looker = Looker(net, recipe.network.size, recipe.view, recipe.seed, place, cache)
    targets = torch.from_numpy(np.tile(pictures.targets(items), recipe.head.views))
    shares = torch.from_numpy(np.tile(shares_of(recipe, items), recipe.head.views)).float()
    known = Looks(looker.features(items, recipe.head.views), targets, shares)
    unknown = Looks(looker.features(held, 1), torch.from_numpy(pictures.targets(held)), torch.ones(len(held)))
    return fit_head(known, unknown, recipe.head, len(pictures.labels))


def _tuning(recipe: ClassifierRecipe, tune: TuneConfig, pictures: Pictures, place: Place, run: bytes) -> Task:
    """The second stage: the whole network on random looks."""
    items, held, schedule = pictures.of("train"), pictures.of("validate"), tune.schedule
    length = schedule.steps * schedule.batch * place.world
    targets = torch.from_numpy(pictures.targets(items)).to(place.device)
    held_targets = pictures.targets(held)

    def loss(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        looks, places = batch
        logits = model(looks.float().contiguous(memory_format=torch.channels_last))
        return {"classes": functional.cross_entropy(logits, targets[places])}

    def held_out(model: nn.Module) -> float:
        logits = logits_of(cast(ClassifierNet, model), held, recipe.network.size, place)
        return negative_log_likelihood(softmax(logits), held_targets)

    views = Views(items, shares_of(recipe, items), recipe.network.size, recipe.view, recipe.seed, length)
    stop = Stop(held_out, tune.validate_every, tune.patience)
    return Task("tune", run, views, loss, schedule, frozen=tune.freeze, relative=True, stop=stop)
