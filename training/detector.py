"""Trains the detector: from a recipe and data to `weights.pt`, resumable after a kill at any moment."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Subset
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from contracts.errors import ConfigError
from training import checkpoint
from training.batches import TrainingPictures, collate
from training.dataset import list_skipped, read_sets
from training.loss import Targets, detection_loss, distillation_loss
from training.network import DetectorNet, anchor_points, load_yolox
from training.place import Place, find_place
from training.recipe import DetectorRecipe, ScheduleConfig
from training.teachers import label_with_teachers

Net = TypeVar("Net", bound=nn.Module)


@dataclass
class Run:
    """The state of a training run, all of which is in the checkpoint; `start` and `net` are set up from the recipe."""

    net: DetectorNet
    start: DetectorNet
    average: DetectorNet
    optimizer: torch.optim.AdamW
    step: int = 0


def train(recipe: DetectorRecipe, data: Path, out: Path) -> Path:
    """Train to the recipe's last step and write `out/weights.pt`; goes on from `out/checkpoint.pt` where there is one.

    Raises ConfigError when the data is not there or the checkpoint belongs to another recipe.
    """
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    if place.rank > 0:
        dist.barrier()  # the first process unpacks the frames and asks the teachers; the others find both in the cache
    sets = read_sets(recipe.sets, ("train",), data, out / "cache", recipe.channels)
    sets = tuple(label_with_teachers(sets, recipe, data, out / "cache"))
    if place.rank == 0:
        counts = ", ".join(f"{s.config.name} {len(s.samples)}" for s in sets)
        print(f"training pictures: {counts}; skipped {list_skipped(sets, out)} (skipped.json)")
        if place.world > 1:
            dist.barrier()
    run = start_run(recipe, data, place.device)
    _resume(run, recipe, out / "checkpoint.pt")
    pictures = TrainingPictures(sets, recipe, recipe.schedule.steps * recipe.schedule.batch * place.world)
    _loop(run, recipe, pictures, place, out)
    if place.rank == 0:
        weights = blend(run.start, run.average, recipe.blend)
        checkpoint.save({"recipe": msgspec.json.encode(recipe), "net": weights.state_dict()}, out / "weights.pt")
    if place.world > 1:
        dist.destroy_process_group()
    return out / "weights.pt"


def start_run(recipe: DetectorRecipe, data: Path, device: torch.device) -> Run:
    """The run before its first step: the start's weights three times (learning, frozen, averaged)."""
    net = DetectorNet(len(recipe.channels), recipe.width)
    if recipe.start:
        path = data / recipe.start
        if not path.exists():
            raise ConfigError("start", f"{recipe.start} is not in the data folder")
        load_start(net, path, recipe)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    start, average = (copy.deepcopy(net).requires_grad_(False) for _ in range(2))
    for part in recipe.freeze:
        net.get_submodule(part).requires_grad_(False)
    learnt = [p for p in net.parameters() if p.requires_grad]
    weights, biases = [p for p in learnt if p.ndim > 1], [p for p in learnt if p.ndim == 1]
    groups = [
        {"params": weights, "weight_decay": recipe.schedule.weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    return Run(net, start, average, torch.optim.AdamW(groups, lr=recipe.schedule.learning_rate))


def load_start(net: DetectorNet, path: Path, recipe: DetectorRecipe) -> None:
    """Fill the network from a public YOLOX ONNX file or from the `weights.pt` of an earlier run."""
    if path.suffix == ".onnx":
        load_yolox(net, path, recipe.channels)
        return
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])


def load_trained(path: Path) -> tuple[DetectorRecipe, DetectorNet]:
    """The recipe and network of a `weights.pt`."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    recipe = msgspec.json.decode(state["recipe"], type=DetectorRecipe)
    net = DetectorNet(len(recipe.channels), recipe.width)
    net.load_state_dict(state["net"])
    return recipe, net.eval()


def learning_rate(step: int, schedule: ScheduleConfig) -> float:
    """Linear warm-up once, then in each cycle half a cosine down to `final_fraction` of the top."""
    if step < schedule.warmup_steps:
        return schedule.learning_rate * (step + 1) / schedule.warmup_steps
    cycle = schedule.cycle_steps or schedule.steps
    first = schedule.warmup_steps if step < cycle else 0
    done = (step % cycle - first) / max(1, cycle - first) if step < schedule.steps else 1.0
    share = schedule.final_fraction + (1 - schedule.final_fraction) * (1 + math.cos(math.pi * min(1.0, done))) / 2
    return schedule.learning_rate * share


def blend(start: nn.Module, trained: Net, share: float) -> Net:
    """Weights between the start's (0) and the trained ones (1)."""
    mixed = copy.deepcopy(trained)
    with torch.no_grad():
        for ours, first in zip(mixed.parameters(), start.parameters(), strict=True):
            ours.copy_(first + (ours - first) * share)
    return mixed


def _resume(run: Run, recipe: DetectorRecipe, path: Path) -> None:
    state = checkpoint.load(path)
    if state is None:
        return
    if state["recipe"] != msgspec.json.encode(recipe):
        raise ConfigError("out", f"{path.name} belongs to another recipe: use another folder")
    run.net.load_state_dict(state["net"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    run.step = state["step"]


def _loop(run: Run, recipe: DetectorRecipe, pictures: TrainingPictures, place: Place, out: Path) -> None:
    schedule = recipe.schedule
    model = DistributedDataParallel(run.net) if place.world > 1 else run.net
    points, strides = (tensor.to(place.device) for tensor in anchor_points(recipe.crop))
    writer = SummaryWriter(str(out / "logs"), purge_step=run.step) if place.rank == 0 else None
    bar = tqdm(total=schedule.steps, initial=run.step, desc="train", unit="step", disable=place.rank != 0)
    for batch, targets in _batches(run.step, recipe, pictures, place):
        parts = _step(run, model, batch, targets, points, strides, recipe)
        run.step += 1
        bar.update()
        if writer is not None:
            for name, value in parts.items():
                writer.add_scalar(f"loss/{name}", value, run.step)
            bar.set_postfix({name: f"{value:.2f}" for name, value in parts.items()})
        if place.rank == 0 and (run.step % schedule.checkpoint_every == 0 or run.step == schedule.steps):
            _save(run, recipe, out / "checkpoint.pt")
    bar.close()
    if writer is not None:
        writer.close()


def _batches(
    first: int, recipe: DetectorRecipe, pictures: TrainingPictures, place: Place
) -> Iterator[tuple[Tensor, list[Targets]]]:
    """This process's batches from step `first` on: of each step's pictures the ranks take neighbouring slices."""
    size = recipe.schedule.batch
    order = [
        (step * place.world + place.rank) * size + slot
        for step in range(first, recipe.schedule.steps)
        for slot in range(size)
    ]
    loader = DataLoader(
        Subset(pictures, order), batch_size=size, num_workers=recipe.schedule.workers, collate_fn=collate
    )
    for batch, targets in loader:
        moved = [Targets(*(_to(value, place.device) for value in _fields(t))) for t in targets]
        yield batch.to(place.device).float().contiguous(memory_format=torch.channels_last), moved


def _fields(targets: Targets) -> tuple[Any, ...]:
    return targets.xyxy, targets.channels, targets.weights, targets.distil


def _to(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


def _step(
    run: Run,
    model: nn.Module,
    batch: Tensor,
    targets: list[Targets],
    points: Tensor,
    strides: Tensor,
    recipe: DetectorRecipe,
) -> dict[str, float]:
    """One update; returns the loss's parts."""
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(run.step, recipe.schedule)
    predicted = model(batch)
    distil = torch.tensor([target.distil for target in targets], device=batch.device)
    if recipe.loss.distil > 0 and bool(distil.any()):
        with torch.no_grad():
            first = run.start(batch[distil])
        presence = torch.zeros_like(predicted[..., 4])
        presence[distil] = first[..., 4].sigmoid()
        parts = detection_loss(predicted, targets, points, strides, recipe.loss, presence)
        parts["distil"] = distillation_loss(predicted[distil], first, recipe.loss)
    else:
        parts = detection_loss(predicted, targets, points, strides, recipe.loss)
    total = torch.stack(list(parts.values())).sum()
    if not bool(torch.isfinite(total)):
        raise FloatingPointError(f"the loss at step {run.step} is not finite: {parts}")
    run.optimizer.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.net.parameters(), recipe.schedule.clip_norm)
    run.optimizer.step()
    # A young average follows closely: (1 + k) / (10 + k) until the recipe's decay is reached.
    decay = min(recipe.schedule.ema_decay, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for slow, fast in zip(run.average.parameters(), run.net.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
    return {name: float(value.detach()) for name, value in parts.items()}


def _save(run: Run, recipe: DetectorRecipe, path: Path) -> None:
    state = {
        "recipe": msgspec.json.encode(recipe),
        "net": run.net.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "rng": torch.get_rng_state(),
        "step": run.step,
    }
    checkpoint.save(state, path)
