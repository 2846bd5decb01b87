"""The training loop of all models: resumable after a kill at any moment, on one device or many (torchrun)."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, Subset, default_collate
from tqdm import tqdm

from contracts.errors import ConfigError
from training import checkpoint
from training.errors import check_finite
from training.logs import Logs
from training.place import Place
from training.recipe import ScheduleConfig

Loss = Callable[[nn.Module, Any], dict[str, Tensor]]
"""The parts of the loss of one batch, given the (perhaps wrapped) network and what the data set's items collate to."""

Net = TypeVar("Net", bound=nn.Module)

# Relative rates go by a tensor's size, its root mean square at the start, as Adafactor's do (arXiv:1804.04235): where
# batch norm is folded in, weights of .02 stand beside biases of 1, and one rate for both ruins the former. A tensor
# that is near zero counts as this large.
LEAST_SIZE = 0.01


@dataclass(frozen=True)
class Stop:
    """When to stop early: `loss` is taken of the averaged weights every so many steps, the first time before the first.

    After `patience` times without a better one the training ends, and the best weights are the result.
    """

    loss: Callable[[nn.Module], float]
    every: int
    patience: int


@dataclass(frozen=True)
class Task:
    """One training: `items` is a data set whose item k depends on nothing but k; `recipe` says whose checkpoint it is.

    With `relative` the schedule's learning rate is a share of each tensor's size. `frozen` are the prefixes of the
    names of parameters that keep their values.
    """

    name: str
    recipe: bytes
    items: Dataset[Any]
    loss: Loss
    schedule: ScheduleConfig
    frozen: tuple[str, ...] = ()
    collate: Callable[[list[Any]], Any] = default_collate
    relative: bool = False
    stop: Stop | None = None


@dataclass
class _Run:
    net: nn.Module
    average: nn.Module
    optimizer: torch.optim.AdamW
    step: int = 0
    best: dict[str, Any] | None = None
    best_loss: float = float("inf")
    worse: int = 0


def fit(net: nn.Module, task: Task, place: Place, out: Path) -> nn.Module:
    """Train to the schedule's last step, or to the task's early stop; returns the moving average of the weights.

    Goes on from `out/<name>-checkpoint.pt` where there is one; ConfigError when it belongs to another recipe.
    DivergedError when the loss runs off.
    """
    run = _start(net, task, place)
    path = out / f"{task.name}-checkpoint.pt"
    _resume(run, task, path)
    model = DistributedDataParallel(run.net) if place.world > 1 else run.net
    with ExitStack() as told:  # also of a training that runs off
        logs = told.enter_context(closing(Logs(task.name, out, run.step))) if place.rank == 0 else None
        bar = told.enter_context(
            tqdm(total=task.schedule.steps, initial=run.step, desc=task.name, unit="step", disable=place.rank != 0)
        )
        _go_on(run, model, task, place, logs, bar, path)
    if run.best is not None:
        run.average.load_state_dict(run.best)
    return run.average


def _go_on(
    run: _Run, model: nn.Module, task: Task, place: Place, logs: Logs | None, bar: tqdm[Any], path: Path
) -> None:
    """From the run's step to the last one, or to the early stop."""
    if run.step == 0:
        _judge(run, task)
    for batch in _batches(run.step, task, place):
        if task.stop is not None and run.worse >= task.stop.patience:
            break
        parts = _step(run, model, batch, task)
        run.step += 1
        if task.stop is not None and run.step % task.stop.every == 0:
            _judge(run, task)
        bar.update()
        if logs is not None:
            logs.add(run.step, parts)
            bar.set_postfix({name: f"{value:.3f}" for name, value in parts.items()})
        if place.rank == 0 and (run.step % task.schedule.checkpoint_every == 0 or run.step == task.schedule.steps):
            _save(run, task, path)


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


def _judge(run: _Run, task: Task) -> None:
    """Keep the averaged weights where they are the best so far, else count."""
    if task.stop is None:
        return
    loss = task.stop.loss(run.average)
    if loss < run.best_loss:
        run.best, run.best_loss, run.worse = copy.deepcopy(run.average.state_dict()), loss, 0
    else:
        run.worse += 1


def _start(net: nn.Module, task: Task, place: Place) -> _Run:
    net.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    average = copy.deepcopy(net).requires_grad_(False)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not name.startswith(task.frozen))
    alike: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for parameter in net.parameters():
        if not parameter.requires_grad:
            continue
        size = max(LEAST_SIZE, float(parameter.detach().square().mean().sqrt())) if task.relative else 1.0
        alike[task.schedule.weight_decay if parameter.ndim > 1 else 0.0, size].append(parameter)
    groups = [{"params": some, "weight_decay": decay, "size": size} for (decay, size), some in alike.items()]
    return _Run(net, average, torch.optim.AdamW(groups, lr=task.schedule.learning_rate))


def _resume(run: _Run, task: Task, path: Path) -> None:
    state = checkpoint.load(path)
    if state is None:
        return
    if state["recipe"] != task.recipe:
        raise ConfigError("out", f"{path.name} belongs to another recipe: use another folder")
    run.net.load_state_dict(state["net"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    run.step = state["step"]
    run.best, run.best_loss, run.worse = state["best"], state["best_loss"], state["worse"]


def _save(run: _Run, task: Task, path: Path) -> None:
    state = {
        "recipe": task.recipe,
        "net": run.net.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "rng": torch.get_rng_state(),
        "step": run.step,
        "best": run.best,
        "best_loss": run.best_loss,
        "worse": run.worse,
    }
    checkpoint.save(state, path)


def _batches(first: int, task: Task, place: Place) -> Iterator[Any]:
    """This process's batches from step `first` on: of each step's items the ranks take neighbouring slices."""
    size = task.schedule.batch
    order = [
        (step * place.world + place.rank) * size + slot
        for step in range(first, task.schedule.steps)
        for slot in range(size)
    ]
    loader = DataLoader(
        Subset(task.items, order), batch_size=size, num_workers=task.schedule.workers, collate_fn=task.collate
    )
    for batch in loader:
        yield _to(batch, place.device)


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _to(getattr(value, one.name), device) for one in fields(value)})
    return [_to(part, device) for part in value] if isinstance(value, list | tuple) else value


def _step(run: _Run, model: nn.Module, batch: Any, task: Task) -> dict[str, float]:
    """One update; returns the loss's parts. DivergedError, and no update, where they or the gradient are no numbers."""
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(run.step, task.schedule) * group["size"]
    parts = task.loss(model, batch)
    run.optimizer.zero_grad()
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(run.net.parameters(), task.schedule.clip_norm)
    found = {name: float(value.detach()) for name, value in parts.items()}
    # The gradient is the mean over all processes: where one's loss is no number, all of them stop here.
    check_finite(task.name, run.step, found | {"gradient": float(norm)}, task.schedule.checkpoint_every)
    run.optimizer.step()
    # A young average follows closely: (1 + k) / (10 + k) until the recipe's decay is reached.
    decay = min(task.schedule.ema_decay, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for slow, fast in zip(run.average.parameters(), run.net.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
    return found
