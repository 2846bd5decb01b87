"""Trains the face localiser: heads in the field with the teachers' labels, and the start's opinion of clean windows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from contracts.decoding import from_json
from contracts.errors import ConfigError
from training import checkpoint
from training.dataset import list_skipped, read_sets
from training.faces.heads import HeadTargets, HeadWindows, collate
from training.faces.people import read_people
from training.faces.recipe import LocaliserRecipe
from training.faces.teachers import label_faces
from training.faces.yunet import LocaliserNet, load_yunet
from training.fit import Task, blend, fit
from training.loss import Targets, assign, detection_loss, distillation_loss
from training.network import anchor_points
from training.place import find_place, first_alone, leave

BOX_COLUMNS = 6
# Errors of the points beyond a tenth of the face's size count linearly.
POINTS_BETA = 0.1


def train_localiser(recipe: LocaliserRecipe, data: Path, out: Path) -> Path:
    """Train to the recipe's last step and write `out/weights.pt`; goes on where it was stopped.

    Raises ConfigError when the data is not there or the checkpoint belongs to another recipe.
    """
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    with first_alone(place):  # it unpacks the frames and asks the teachers
        sets = read_sets(recipe.sets, ("train",), data, out / "cache", ("face",))
        labels = label_faces(sets, recipe.teachers, data, out / "cache")
    faces = read_people(recipe.people, "train", data)
    if place.rank == 0:
        sure = {s.config.name: sum(int((labels[x.key].scores >= recipe.sure).sum()) for x in s.samples) for s in sets}
        skipped = list_skipped(sets, out, faces.skipped)
        print(f"faces to learn: {sure}; aligned: {len(faces.pictures)}; skipped {skipped} (skipped.json)")
    net = start_net(recipe, data)
    start = copy.deepcopy(net).requires_grad_(False).eval().to(place.device)
    length = recipe.schedule.steps * recipe.schedule.batch * place.world
    windows = HeadWindows(sets, labels, faces, recipe, length)
    task = Task(
        "localiser",
        msgspec.json.encode(recipe),
        windows,
        _loss(recipe, start, place.device),
        recipe.schedule,
        collate=collate,
        relative=True,
    )
    trained = blend(start, fit(net, task, place, out), recipe.blend)
    if place.rank == 0:
        checkpoint.save({"recipe": msgspec.json.encode(recipe), "net": trained.state_dict()}, out / "weights.pt")
    leave(place)
    return out / "weights.pt"


def start_net(recipe: LocaliserRecipe, data: Path) -> LocaliserNet:
    """The network with the start's weights; ConfigError where the file is missing."""
    path = data / recipe.start
    if not path.exists():
        raise ConfigError("start", f"{recipe.start} is not in the data folder")
    net = LocaliserNet()
    load_yunet(net, path)
    return net


def load_localiser(path: Path) -> tuple[LocaliserRecipe, LocaliserNet]:
    """The recipe and network of a `weights.pt`."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    net = LocaliserNet()
    net.load_state_dict(state["net"])
    return from_json(state["recipe"], LocaliserRecipe), net.eval()


def _loss(recipe: LocaliserRecipe, start: LocaliserNet, device: torch.device) -> Any:
    cells, strides = (tensor.to(device) for tensor in anchor_points(recipe.heads.window))

    def loss(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        spoilt, clean, targets = batch
        moved = [_to(target, device) for target in targets]
        said = model(spoilt.float())
        faces = [target.faces for target in moved]
        parts = detection_loss(said[..., :BOX_COLUMNS], faces, cells, strides, recipe.loss)
        with torch.no_grad():
            before = start(clean.float())
        distil = distillation_loss(said[..., :BOX_COLUMNS], before[..., :BOX_COLUMNS], recipe.loss)
        labelled = points_loss(said, moved, cells, strides)
        return parts | {"distil": distil, "points": recipe.points * (labelled + points_as_before(said, before))}

    return loss


def points_loss(said: Tensor, targets: list[HeadTargets], cells: Tensor, strides: Tensor) -> Tensor:
    """How far the points of the cells that answer for a face are from its labels, in sizes of the face."""
    total, count = said.sum() * 0, 0.0
    for raw, target in zip(said, targets, strict=True):
        found = assign(raw[:, :BOX_COLUMNS].detach(), target.faces, cells, strides)
        known = target.known[found.boxes]
        if not bool(known.any()):
            continue
        box = target.faces.xyxy[found.boxes]
        wanted = target.points[found.boxes].flatten(1)
        total = total + (_apart(raw[found.cells, BOX_COLUMNS:], wanted, box[:, 2:] - box[:, :2]) * known).sum()
        count += float(known.sum())
    return total / max(count, 1.0)


def points_as_before(said: Tensor, before: Tensor) -> Tensor:
    """How far the points [N,A,16] are from the start's, in sizes of the face, where the start saw one."""
    presence = (before[..., 4].sigmoid() * before[..., 5].sigmoid()).sqrt()
    weight = torch.where(presence > 0.5, presence, torch.zeros_like(presence))
    apart = _apart(said[..., BOX_COLUMNS:], before[..., BOX_COLUMNS:], before[..., 2:4])
    return (apart * weight).sum() / weight.sum().clamp(min=1.0)


def _apart(points: Tensor, wanted: Tensor, sizes: Tensor) -> Tensor:
    size = sizes.prod(-1).clamp(min=1.0).sqrt()[..., None]
    return functional.smooth_l1_loss(points / size, wanted / size, reduction="none", beta=POINTS_BETA).sum(-1)


def _to(target: HeadTargets, device: torch.device) -> HeadTargets:
    faces = target.faces
    moved = Targets(faces.xyxy.to(device), faces.channels.to(device), faces.weights.to(device), faces.distil)
    return HeadTargets(moved, target.points.to(device), target.known.to(device))
