"""The appearance head: 64 numbers a box that tell one person from another, read from the frozen detector's features.

It takes the backbone's early stages (strides 4 and 8) at a few points inside the box, and is linear: there are few
people to learn from, and on tracks left out of training a hidden layer was worse (area under ROC .919 against .899).
The head learns from teachers (re-identification networks, whose vectors are brought to 64 numbers by principal
components) and from tracks (supervised contrast, arXiv:2004.11362: looks of a track together, of people who were there
at once apart). With other detector weights it has to be trained again: minutes, as the features are computed once.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align
from tqdm import tqdm

from contracts.errors import ConfigError, ModelError
from training import checkpoint
from training.errors import check_finite
from training.logs import Logs
from training.looks import Batch, Batches, repainted, sheets
from training.network import DetectorNet, load_exported
from training.onnx_weights import exported_tensors
from training.reid import ReidConfig
from training.tracklets import ClipConfig, Looks

NAME = "appearance"
"""Of the run's checkpoint and log."""

NUMBERS = 64
TEMPERATURE = 0.1
# Each stage's stride, and how many rows and columns of it are taken inside a box.
GRIDS = ((4, 8, 4), (8, 6, 3))


class AppearanceRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the head's weights, but for the data's bytes and the detector.

    `variations` is how often all looks are taken (see looks.py). `contrast` weighs the tracks' loss against the
    teachers', `dropout` is the share of features that each step goes without.
    """

    name: str
    seed: int = 1
    clips: tuple[ClipConfig, ...]
    teachers: tuple[ReidConfig, ...]
    variations: int = 5
    steps: int = 1500
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    contrast: float = 0.5
    dropout: float = 0.5
    checkpoint_every: int = 500
    threads: int = 1


class AppearanceNet(nn.Module):
    """Two stages of the backbone [N,C,h,w] and boxes [K,5] (picture, x1, y1, x2, y2 in px) to unit vectors [K,64]."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        count = sum(c * rows * columns for c, (_, rows, columns) in zip(channels, GRIDS, strict=True))
        self.vector = nn.Linear(count, NUMBERS)

    def forward(self, stage2: Tensor, stage3: Tensor, boxes: Tensor) -> Tensor:
        return self.vectors(points(stage2, stage3, boxes))

    def vectors(self, features: Tensor) -> Tensor:
        """Points [K,D] as `points` gives them to unit vectors [K,64]."""
        return functional.normalize(self.vector(features), dim=1)

    def folded(self, mean: Tensor, scale: Tensor) -> AppearanceNet:
        """The head for plain features of one that learnt on (features - mean) * scale."""
        plain = copy.deepcopy(self)
        with torch.no_grad():
            plain.vector.weight.copy_(self.vector.weight * scale)
            plain.vector.bias.copy_(self.vector.bias - plain.vector.weight @ mean)
        return plain.eval()


def points(stage2: Tensor, stage3: Tensor, boxes: Tensor) -> Tensor:
    """The features [K,D] at the grids' points of each box."""
    taken = [
        roi_align(stage, boxes, (rows, columns), 1 / stride, sampling_ratio=1, aligned=True).flatten(1)
        for stage, (stride, rows, columns) in zip((stage2, stage3), GRIDS, strict=True)
    ]
    return torch.cat(taken, 1)


@torch.no_grad()
def features_of(looks: Looks, net: DetectorNet, size: int, seed: int, variation: int) -> Tensor:
    """The points [N,D] of all looks in one variation, as float16: a fifth of a gigabyte for 40,000."""
    found = []
    for sheet in sheets(looks, size, seed, variation):
        pixels = torch.from_numpy(sheet.picture).permute(2, 0, 1)[None].float()
        stages = net.look(pixels).stages
        boxes = torch.from_numpy(sheet.boxes)
        found.append(points(*stages, torch.cat((torch.zeros(len(boxes), 1), boxes), 1)).half())
    return torch.cat(found)


def targets(looks: Looks) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the teachers would say in NUMBERS numbers [N,NUMBERS], and of which looks they say anything [N].

    A look takes half of its target from all clear looks of its track, and a covered one all of it.
    """
    known = looks.taught.any(axis=1)
    clear = known & looks.clear
    centred = looks.taught - looks.taught[clear].mean(axis=0)
    _, _, axes = np.linalg.svd(centred[clear], full_matrices=False)
    reduced = np.zeros((len(looks), NUMBERS))
    reduced[:, : len(axes[:NUMBERS])] = centred @ axes[:NUMBERS].T  # fewer looks than numbers have fewer axes
    reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-6)
    own = np.where(clear[:, None], reduced, 0)
    mixed = own.copy()
    for track in np.unique(looks.tracks[clear]):
        rows = looks.tracks == track
        mean = own[rows & clear].mean(axis=0)
        mixed[rows] += mean / max(float(np.linalg.norm(mean)), 1e-6)
    length = np.linalg.norm(mixed, axis=1, keepdims=True)
    return (mixed / np.maximum(length, 1e-6)).astype(np.float32), known & (length[:, 0] > 0)


def contrast(vectors: Tensor, same: Tensor, other: Tensor) -> Tensor:
    """Supervised contrast over the pairs that are certain: each look against all looks of other things."""
    alike = vectors @ vectors.T / TEMPERATURE
    pairs = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    strangers = torch.logsumexp(alike.masked_fill(~other, -1e4), 1, keepdim=True)
    losses = functional.softplus(strangers - alike)[pairs]
    return losses.mean()


def train(recipe: AppearanceRecipe, looks: Looks, net: DetectorNet, size: int, out: Path) -> Path:
    """Train to the last step and write `out/appearance.pt`; goes on from its checkpoint where there is one.

    DivergedError when the loss runs off.
    """
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    features = _features(recipe, looks, net, size, out)
    head = AppearanceNet(_channels(net))
    torch.manual_seed(recipe.seed)
    head.vector.reset_parameters()
    flat = features.flatten(0, 1).float()
    mean, scale = flat.mean(0), 1 / (flat.std(0) + 1e-2)
    optimizer = torch.optim.AdamW(head.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.steps)
    path = out / f"{NAME}-checkpoint.pt"
    first = _resume(recipe, head, optimizer, schedule, path)
    wanted, known = (torch.from_numpy(value) for value in targets(looks))
    batches = Batches(looks, recipe.seed, recipe.variations)
    logs = Logs(NAME, out, first)
    bar = tqdm(range(first, recipe.steps), desc="train", unit="step", initial=first, total=recipe.steps)
    for step in bar:
        batch = batches[step]
        rows, variations = torch.from_numpy(batch.looks), torch.from_numpy(batch.variations)
        taken = (features[variations, rows].float() - mean) * scale
        parts = _step(head, optimizer, batch, taken, wanted[rows], known[rows], recipe, step)
        schedule.step()
        logs.add(step + 1, parts)
        bar.set_postfix({name: f"{value:.3f}" for name, value in parts.items()})
        if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == recipe.steps:
            state = {"net": head.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            state |= {"recipe": msgspec.json.encode(recipe), "step": step + 1, "rng": torch.get_rng_state()}
            checkpoint.save(state, path)
    logs.close()
    checkpoint.save(
        {"net": head.folded(mean, scale).state_dict(), "backbone": backbone_key(net)}, out / "appearance.pt"
    )
    return out / "appearance.pt"


def load_appearance(path: Path, net: DetectorNet) -> AppearanceNet:
    """The head of an `appearance.pt`, or of a detector that was exported with one.

    Raises ModelError for any other file, and for a head that learnt on another backbone than the detector's.
    """
    if path.suffix == ".onnx":
        tensors = exported_tensors(path, "appearance/")
        learnt_on = backbone_key(load_exported(path))
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors, learnt_on = state["net"], state["backbone"]
    if "vector.weight" not in tensors:
        raise ModelError(f"{path.name}: holds no appearance head")
    if learnt_on != backbone_key(net):
        raise ModelError(f"{path.name}: the appearance head learnt on another backbone: train it on this one")
    head = AppearanceNet(_channels(net))
    head.load_state_dict(tensors)
    return head.eval()


def backbone_key(net: DetectorNet) -> int:
    """A number that says which weights the features come from: the stages that the head reads, and before."""
    stages = (net.backbone.stem, net.backbone.dark2, net.backbone.dark3)
    return zlib.crc32(b"".join(value.numpy().tobytes() for part in stages for value in part.state_dict().values()))


def _channels(net: DetectorNet) -> list[int]:
    with torch.no_grad():
        return [stage.shape[1] for stage in net.look(torch.zeros(1, 3, 32, 32)).stages]


def tells_apart(vectors: NDArray[np.float32], looks: Looks, batches: Batches, least_frames: int) -> float:
    """How often a later look of the same track (so many pictures on) is more alike than another's: the area under ROC.

    The others are those who were there at once, so that every pair is certain.
    """
    same, other = batches.known(np.arange(len(looks)))
    later = np.abs(looks.frames[:, None] - looks.frames[None, :]) >= least_frames
    alike = vectors @ vectors.T
    good, bad = np.sort(alike[same & later]), np.sort(alike[other & (looks.clips[:, None] == looks.clips[None, :])])
    return float(np.searchsorted(bad, good).mean() / max(1, len(bad)))


def _features(recipe: AppearanceRecipe, looks: Looks, net: DetectorNet, size: int, out: Path) -> Tensor:
    """The points [V,N,D] of all variations, kept in `out`: this is nearly all of the run's time."""
    key = zlib.crc32(looks.patches.tobytes(), backbone_key(net))
    path = out / f"features-{recipe.seed}-{recipe.variations}-{key:08x}.pt"
    kept = checkpoint.load(path)
    if kept is None:
        passes = tqdm(range(recipe.variations), desc="features", unit="pass")
        kept = {"features": torch.stack([features_of(looks, net, size, recipe.seed, number) for number in passes])}
        checkpoint.save(kept, path)
    found: Tensor = kept["features"]
    return found


def _step(
    head: AppearanceNet,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    features: Tensor,
    wanted: Tensor,
    known: Tensor,
    recipe: AppearanceRecipe,
    step: int,
) -> dict[str, float]:
    """One update; returns the loss's parts. DivergedError, and no update, where they or the gradient are no numbers."""
    vectors = head.vectors(functional.dropout(features, recipe.dropout))
    # The teachers have not seen the tracks in other colours.
    told = known & torch.tensor([not repainted(int(number)) for number in batch.variations])
    distil = (1 - (vectors[told] * wanted[told]).sum(1)).mean() if bool(told.any()) else vectors.sum() * 0
    apart = contrast(vectors, torch.from_numpy(batch.same), torch.from_numpy(batch.other))
    loss = distil + recipe.contrast * apart
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(head.parameters(), torch.inf)  # measured, not clipped
    parts = {"teachers": float(distil.detach()), "tracks": float(apart.detach())}
    check_finite(NAME, step, parts | {"gradient": float(norm)}, recipe.checkpoint_every)
    optimizer.step()
    return parts


def _resume(
    recipe: AppearanceRecipe,
    head: AppearanceNet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    path: Path,
) -> int:
    state = checkpoint.load(path)
    if state is None:
        return 0
    if state["recipe"] != msgspec.json.encode(recipe):
        raise ConfigError("out", f"{path.name} belongs to another recipe: use another folder")
    head.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["rng"])
    return int(state["step"])
