"""The detector's loss: SimOTA assignment (YOLOX, arXiv:2107.08430), IoU, cross entropies, and distillation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.recipe import LossConfig

# SimOTA's constants, as published: cells within 2.5 strides of a centre may match; the ten best overlaps say how many.
CENTRE_RADIUS = 2.5
TOP_OVERLAPS = 10


@dataclass(frozen=True, slots=True)
class Targets:
    """One picture's boxes: xyxy [N,4] in pixels, channels [N] (-1: of none that is trained, but an object), weights
    [N] (0: ignored, below 0: nothing there).

    With `distil` the start's answers count beside the boxes. `partly`: only some of the picture is labelled, and what
    a person said (weight 1, or below 0) counts alone at its place. `window` is the same for the same picture.
    """

    xyxy: Tensor
    channels: Tensor
    weights: Tensor
    distil: bool
    partly: bool = False
    window: int = -1


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which cells [K] answer for which box [K], with what overlap [K], and which cells [A] are not to be punished."""

    cells: Tensor
    boxes: Tensor
    overlaps: Tensor
    ignored: Tensor


def corners(cxcywh: Tensor) -> Tensor:
    """[...,4] centre and size as corners."""
    half = cxcywh[..., 2:4] / 2
    return torch.cat((cxcywh[..., :2] - half, cxcywh[..., :2] + half), -1)


def iou_pairs(a: Tensor, b: Tensor) -> Tensor:
    """IoU of xyxy boxes that broadcast against each other."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inner
    return inner / union.clamp(min=1e-6)


@torch.no_grad()
def assign(predicted: Tensor, targets: Targets, points: Tensor, strides: Tensor) -> Assignment:
    """SimOTA for one picture: predicted [A,5+C] as the network gives it, cells' centres [A,2] and strides [A]."""
    learnt = targets.weights > 0
    ignored = _inside(points, targets.xyxy[targets.weights == 0]).any(1)
    truth = targets.xyxy[learnt]
    if len(truth) == 0:
        none = torch.zeros(0, dtype=torch.long, device=points.device)
        return Assignment(none, none, torch.zeros(0, device=points.device), ignored)
    inside = _inside(points, truth)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    near = ((points[:, None] - middle[None]).abs().amax(-1) / strides[:, None]) < CENTRE_RADIUS
    candidates = (inside | near).any(1).nonzero()[:, 0]
    both = (inside & near)[candidates]
    overlaps = iou_pairs(corners(predicted[candidates, :4])[:, None], truth[None])
    # A prediction that is no number matches as if it were 0, and stays none in the loss, where the training finds it.
    score = (predicted[candidates, 4:5].sigmoid() * predicted[candidates, 5:].sigmoid()).sqrt().nan_to_num()
    wanted = _own(targets.channels[learnt], predicted.shape[1] - 5).float()
    class_cost = functional.binary_cross_entropy(
        score[:, None].expand(-1, len(truth), -1).clamp(1e-6, 1 - 1e-6),
        wanted[None].expand(len(candidates), -1, -1),
        reduction="none",
    ).sum(-1)
    cost = class_cost - 3.0 * (overlaps + 1e-8).log() + 1e5 * (~both)
    matched = _cheapest(cost, overlaps)
    rows, columns = matched.nonzero(as_tuple=True)
    return Assignment(candidates[rows], learnt.nonzero()[:, 0][columns], overlaps[rows, columns], ignored)


def _own(channels: Tensor, count: int) -> Tensor:
    """[N] as one-hot rows [N,count]; zeros for -1, a box of a label that these predictions don't speak of."""
    return functional.one_hot(channels + 1, count + 1)[:, 1:]


def _inside(points: Tensor, xyxy: Tensor) -> Tensor:
    """[A,N]: is the point in the box."""
    after = points[:, None] > xyxy[None, :, :2]
    before = points[:, None] < xyxy[None, :, 2:]
    return after.all(-1) & before.all(-1)


def _cheapest(cost: Tensor, overlaps: Tensor) -> Tensor:
    """bool[K,N]: each box takes its cheapest cells, as many as its best overlaps add up to; a cell has one box."""
    best = overlaps.topk(min(TOP_OVERLAPS, len(overlaps)), dim=0).values
    counts = best.sum(0).int().clamp(min=1)
    matched = torch.zeros_like(cost, dtype=torch.bool)
    for column, count in enumerate(counts.tolist()):
        matched[cost[:, column].topk(min(count, len(cost)), largest=False).indices, column] = True
    contested = matched.sum(1) > 1
    if contested.any():
        only = torch.zeros_like(matched[contested])
        only[torch.arange(len(only)), cost[contested].argmin(1)] = True
        matched[contested] = only
    return matched


def detection_loss(
    predicted: Tensor,
    targets: list[Targets],
    points: Tensor,
    strides: Tensor,
    config: LossConfig,
    presence: Tensor | None = None,
) -> dict[str, Tensor]:
    """The parts of the loss of a batch [N,A,5+C], each a mean over the boxes' cells and already weighted.

    Where the start's `presence` [N,A] is given, no cell is pulled below it: what the start takes for an object
    may be one that has no label here (COCO's chair).
    """
    zero = predicted.sum() * 0
    box, objectness, classes, cells = zero, zero, zero, 0.0
    floors = torch.zeros_like(predicted[..., 4]) if presence is None else presence
    for raw, target, floor in zip(predicted, targets, floors, strict=True):
        found = assign(raw.detach(), target, points, strides)
        weights = target.weights[found.boxes]
        wanted = floor * ~_inside(points, target.xyxy[target.weights < 0]).any(1)
        # A teacher's doubt lowers what the objectness is pulled to, not only how hard.
        wanted[found.cells] = torch.maximum(weights, floor[found.cells])
        counts = ~found.ignored
        counts[found.cells] = True
        bce = functional.binary_cross_entropy_with_logits(raw[:, 4], wanted, reduction="none")
        objectness = objectness + (bce * counts).sum()
        if len(found.cells) == 0:
            continue
        cells += float(weights.sum())
        overlap = iou_pairs(corners(raw[found.cells, :4]), target.xyxy[found.boxes])
        box = box + ((1 - overlap.square()) * weights).sum()
        own = _own(target.channels[found.boxes], raw.shape[1] - 5)
        errors = functional.binary_cross_entropy_with_logits(
            raw[found.cells, 5:], own * found.overlaps[:, None], reduction="none"
        )
        heed = config.others + (1 - config.others) * own
        classes = classes + ((errors * heed).sum(1) * weights).sum()
    count = max(cells, 1.0)
    parts = {"box": box, "objectness": objectness, "classes": classes}
    return {name: value * getattr(config, name) / count for name, value in parts.items()}


def answered(targets: list[Targets], points: Tensor) -> Tensor:
    """[N,A]: is the cell in a place of a partly labelled picture that a person spoke of."""
    rows = []
    for target in targets:
        said = (target.weights == 1) | (target.weights < 0) if target.partly else torch.zeros_like(target.weights) > 0
        rows.append(_inside(points, target.xyxy[said]).any(1))
    return torch.stack(rows)


def distillation_loss(ours: Tensor, theirs: Tensor, config: LossConfig, but: Tensor | None = None) -> Tensor:
    """How far scores and boxes [N,A,5+C] went from the start's on the same pixels, in all cells `but` these [N,A].

    Each cell counts by the root of the score that the start gives it (focal distillation; the root lets what it is
    half sure of count too): background is already told to stay quiet by the labels.
    """
    presence = theirs[..., 4].sigmoid()
    counted = torch.ones_like(presence) if but is None else (~but).to(presence)
    weight = (presence * theirs[..., 5:].sigmoid().amax(-1)).sqrt() * counted
    total = weight.sum().clamp(min=1.0)
    objectness = functional.binary_cross_entropy_with_logits(ours[..., 4], presence, reduction="none")
    classes = functional.binary_cross_entropy_with_logits(ours[..., 5:], theirs[..., 5:].sigmoid(), reduction="none")
    overlap = iou_pairs(corners(ours[..., :4]), corners(theirs[..., :4]))
    # The least of a cross entropy with soft targets is their entropy: taken off, so that no change reads as zero.
    entropy = functional.binary_cross_entropy(presence, presence, reduction="none")
    loss = ((objectness - entropy) * counted).sum() + ((classes.sum(-1) + 2.0 * (1 - overlap)) * weight).sum()
    return loss * config.distil / total
