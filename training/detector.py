"""Trains the detector: from a recipe and data to `weights.pt`, resumable after a kill at any moment."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from contracts.decoding import from_json
from contracts.errors import ConfigError
from training import checkpoint
from training.batches import TrainingPictures, collate
from training.branch import Seen
from training.dataset import DataSet, list_skipped, read_sets
from training.fit import Task, blend, fit
from training.loss import Targets, answered, detection_loss, distillation_loss
from training.network import DetectorNet, anchor_points, load_exported, load_yolox, net_of
from training.onnx_weights import exported_tensors
from training.place import Place, find_place, first_alone, leave
from training.recipe import DetectorRecipe
from training.teachers import label_with_teachers

NAME = "detector"
"""Of the run's checkpoint and log."""


def train(recipe: DetectorRecipe, data: Path, out: Path) -> Path:
    """Train to the recipe's last step and write `out/weights.pt`; goes on from where an earlier run was stopped.

    Raises ConfigError when the data is not there or the checkpoint belongs to another recipe.
    """
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    with first_alone(place):  # it unpacks the frames and asks the teachers
        sets = read_sets(recipe.sets, ("train",), data, out / "cache", recipe.channels)
        sets = tuple(label_with_teachers(sets, recipe, data, out / "cache"))
        if place.rank == 0:
            counts = ", ".join(f"{s.config.name} {len(s.samples)}" for s in sets)
            print(f"training pictures: {counts}; skipped {list_skipped(sets, out)} (skipped.json)")
    start = start_net(recipe, data)
    average = fit_detector(start, sets, recipe, place, out)
    if place.rank == 0:
        save_weights(blend(start, average, recipe.blend), recipe, out / "weights.pt")
    leave(place)
    return out / "weights.pt"


def fit_detector(
    start: DetectorNet, sets: Sequence[DataSet], recipe: DetectorRecipe, place: Place, out: Path, relative: bool = False
) -> DetectorNet:
    """Train on from `start`, which the distillation holds the result to; returns the average of the weights.

    `relative` is as in training.fit.Task; branches that read for themselves are trained so, too.
    """
    start.to(place.device, memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]
    pictures = TrainingPictures(sets, recipe, recipe.schedule.steps * recipe.schedule.batch * place.world)
    branched = len(start.branches) > 0
    loss = BranchLoss(start, recipe, place.device) if branched else DetectorLoss(start, recipe, place.device)
    task = Task(
        NAME,
        msgspec.json.encode(recipe),
        pictures,
        loss,
        recipe.schedule,
        frozen=frozen_branches(start, recipe) if branched else recipe.freeze,
        collate=collate,
        relative=relative or any(branch.reading is not None for branch in start.branches),
    )
    if not branched:
        return fit(copy.deepcopy(start), task, place, out)
    net = copy.deepcopy(start)
    net.branches = fit(copy.deepcopy(start.branches), task, place, out)
    return net


def frozen_branches(start: DetectorNet, recipe: DetectorRecipe) -> tuple[str, ...]:
    """The prefixes of the branches that speak for none of the recipe's branch labels."""
    own = set(recipe.branch_channels)
    return tuple(f"{index}." for index, channels in enumerate(start.branches.channels) if own.isdisjoint(channels))


class DetectorLoss:
    """The parts of the loss of a batch of pictures uint8[N,3,S,S] and their targets, held to the start's answers."""

    def __init__(self, start: DetectorNet, recipe: DetectorRecipe, device: torch.device) -> None:
        self._start = start
        self._config = recipe.loss
        self._points, self._strides = (tensor.to(device) for tensor in anchor_points(recipe.crop))

    def __call__(self, model: nn.Module, batch: tuple[Tensor, list[Targets]]) -> dict[str, Tensor]:
        """See the class."""
        pictures, targets = batch[0].float().contiguous(memory_format=torch.channels_last), batch[1]
        with torch.no_grad():
            first = self._first(pictures, targets)
        return self._parts(model(pictures), first, targets)

    def _first(self, pictures: Tensor, targets: list[Targets]) -> Tensor | None:
        """The start's answers on the pictures that are distilled, where there are any."""
        distil = self._distil(targets)
        return self._start(pictures[distil]) if bool(distil.any()) else None

    def _distil(self, targets: list[Targets]) -> Tensor:
        return torch.tensor([t.distil and self._config.distil > 0 for t in targets], device=self._points.device)

    def _parts(self, predicted: Tensor, first: Tensor | None, targets: list[Targets]) -> dict[str, Tensor]:
        """The loss's parts; `first` are the start's answers on the pictures that are distilled."""
        if first is None:
            return detection_loss(predicted, targets, self._points, self._strides, self._config)
        distil = self._distil(targets)
        presence = torch.zeros_like(predicted[..., 4])
        presence[distil] = first[..., 4].sigmoid()
        parts = detection_loss(predicted, targets, self._points, self._strides, self._config, presence)
        said = answered(targets, self._points)[distil]
        return parts | {"distil": distillation_loss(predicted[distil], first, self._config, said)}


class Looked(NamedTuple):
    """What the frozen network makes of a batch, and what the start's branches say to its distilled pictures."""

    seen: Seen
    firsts: tuple[Tensor, ...]


class BranchLoss(DetectorLoss):
    """The same for the branches alone: the model is the start's, and what they read is computed without gradient.

    A box of another label is an object to a branch, and none of its own. Each part is the sum over those branches that
    are trained.
    """

    def __init__(self, start: DetectorNet, recipe: DetectorRecipe, device: torch.device) -> None:
        super().__init__(start, recipe, device)
        frozen = frozen_branches(start, recipe)
        self._columns: dict[int, Tensor] = {}
        for index, own in enumerate(start.branches.channels):
            if f"{index}." not in frozen:
                self._columns[index] = torch.full((len(recipe.channels),), -1, device=device)
                self._columns[index][list(own)] = torch.arange(len(own), device=device)
        self._again = recipe.windows > 0
        self._kept: dict[int, Looked] = {}

    def __call__(self, model: nn.Module, batch: tuple[Tensor, list[Targets]]) -> dict[str, Tensor]:
        """See the class."""
        pictures, targets = batch
        looked = self._kept.get(targets[0].window)
        if looked is None:
            looked = self._look(pictures, self._distil(targets))
            if self._again:
                self._kept[targets[0].window] = looked
        predicted, sums = model(looked.seen.each(Tensor.float)), defaultdict[str, list[Tensor]](list)
        for index, column in self._columns.items():
            own = [replace(target, channels=column[target.channels]) for target in targets]
            first = looked.firsts[index] if looked.firsts else None
            for name, part in self._parts(predicted[index], first, own).items():
                sums[name].append(part)
        return {name: torch.stack(parts).sum() for name, parts in sums.items()}

    @torch.no_grad()
    def _look(self, pictures: Tensor, distil: Tensor) -> Looked:
        look = self._start.look(pictures.float().contiguous(memory_format=torch.channels_last))
        firsts = tuple(cells[distil] for cells in look.branches) if bool(distil.any()) else ()
        # Half as precise takes half the memory: 8 windows of 256 pixels are 4 MB.
        return Looked(look.seen.each(Tensor.half) if self._again else look.seen, firsts)


def start_net(recipe: DetectorRecipe, data: Path) -> DetectorNet:
    """The network before its first step, filled from the recipe's start; ConfigError where that is not there."""
    net = DetectorNet(len(recipe.channels), recipe.width, recipe.hinged)
    if recipe.start:
        path = data / recipe.start
        if not path.exists():
            raise ConfigError("start", f"{recipe.start} is not in the data folder")
        net = load_start(path, recipe)
    add_branch(net, recipe)
    return net


def add_branch(net: DetectorNet, recipe: DetectorRecipe) -> None:
    """Give those of the recipe's branch labels that have no branch yet one of their own.

    Those that have one which corrects alone get a neck of its own for it, where the recipe wants that.
    """
    has = {channel for channels in net.branches.channels for channel in channels}
    if new := [channel for channel in recipe.branch_channels if channel not in has]:
        net.add_branch(new, recipe.own_neck)
    if recipe.own_neck:
        for branch in net.branches:
            if branch.reading is None and not set(branch.channels).isdisjoint(recipe.branch_channels):
                net.add_reading(branch)


def save_weights(net: DetectorNet, recipe: DetectorRecipe, path: Path) -> None:
    """Write what `load_trained` reads: of a recipe of another kind what a detector's has."""
    plain = DetectorRecipe(**{name: getattr(recipe, name) for name in DetectorRecipe.__struct_fields__})
    checkpoint.save({"recipe": msgspec.json.encode(plain), "net": net.state_dict()}, path)


def load_start(path: Path, recipe: DetectorRecipe) -> DetectorNet:
    """The network of an ONNX file that was exported here or is a public YOLOX, or of an earlier `weights.pt`.

    ConfigError where the file that was exported here has another number of channels than the recipe.
    """
    if path.suffix != ".onnx":
        return net_of(torch.load(path, map_location="cpu", weights_only=True)["net"])
    if own := exported_tensors(path, "net."):
        net = load_exported(path)
        if (count := len(own["heads.0.classes.bias"])) != len(recipe.channels):
            raise ConfigError("start", f"{path.name} has {count} channels, the recipe {len(recipe.channels)}")
        return net
    net = DetectorNet(len(recipe.channels), recipe.width)
    load_yolox(net, path, recipe.channels)
    return net


def load_trained(path: Path) -> tuple[DetectorRecipe, DetectorNet]:
    """The recipe and network of a `weights.pt`."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    recipe = from_json(state["recipe"], DetectorRecipe)
    return recipe, net_of(state["net"])
