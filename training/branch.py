"""A branch of the detector for some labels: it answers for these by what the frozen network sees, and for no others.

What a site or a lobby teaches about people then can't cost dogs and bicycles: their answers stay as they are, to the
bit. The branch has cells of its own, so that a label's boxes are its own too. It corrects the network's answers, which
costs little, or reads the backbone's stages for itself, which learns more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.layers import STRIDES, DepthwiseConv, decode


class Seen(NamedTuple):
    """What the network has of a picture at each of its three levels.

    `stages` and `levels` are the backbone's and the neck's features [N,C,h,w], `answers` the heads' [N,5+classes,h,w].
    """

    stages: tuple[Tensor, ...]
    levels: tuple[Tensor, ...]
    answers: tuple[Tensor, ...]

    def each(self, change: Callable[[Tensor], Tensor]) -> Seen:
        """All of it changed alike."""
        return Seen(*(tuple(change(one) for one in part) for part in self))


class Correction(nn.Module):
    """One level: features of backbone and neck [N,C,h,w] to what is added to the head's answers [N,outputs,h,w].

    With the neck alone a lobby's people were hardly learnt: AP50 .17 on a validation clip after 550 steps, with both
    .77 after 600.
    """

    def __init__(self, stage: int, level: int, hidden: int, outputs: int) -> None:
        super().__init__()
        # One convolution of both, without copying them together first.
        self.from_level = nn.Conv2d(level, hidden, 1)
        self.from_stage = nn.Conv2d(stage, hidden, 1, bias=False)
        self.tower = nn.Sequential(DepthwiseConv(hidden, hidden), DepthwiseConv(hidden, hidden))
        self.change = nn.Conv2d(hidden, outputs, 1)

    def forward(self, stage: Tensor, level: Tensor) -> Tensor:
        changed: Tensor = self.change(self.tower(functional.silu(self.from_level(level) + self.from_stage(stage))))
        return changed

    @torch.no_grad()
    def start_from(self, stem: nn.Module, box_tower: nn.Module) -> None:
        """Correct nothing yet, and read the neck as this stem and tower of a head do, as far as the width goes."""
        for silent in (*self.change.parameters(), *self.from_stage.parameters()):
            silent.zero_()
        _take(self.from_level, stem)
        _take(self.tower, box_tower)


def _take(ours: nn.Module, theirs: nn.Module) -> None:
    """The first rows and columns of each of their weights."""
    for mine, given in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.copy_(given[tuple(slice(0, side) for side in mine.shape)])


class Reading(nn.Module):
    """A neck and heads of a branch's own: the backbone's stages to answers as the network's heads give them."""

    def __init__(self, neck: nn.Module, heads: nn.ModuleList) -> None:
        super().__init__()
        self.neck = neck
        self.heads = heads

    def forward(self, stages: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(head(level) for head, level in zip(self.heads, self.neck(*stages), strict=True))


class Branch(nn.Module):
    """What was seen to the branch's predictions [N,A,5+K] for its K class channels, as DetectorNet gives them.

    The answers are the network's, or those of a `reading` of its own; with corrections they are corrected. `columns`
    [5+K] picks out of them what the branch speaks for; it goes with the weights into an exported file.
    """

    columns: Tensor

    def __init__(self, width: int, channels: Sequence[int], corrected: bool = True) -> None:
        super().__init__()
        # Half of a head's width: all of it would be a seventh of the whole network's time.
        outputs, factors = 5 + len(channels), (4, 8, 16) if corrected else ()
        self.corrections = nn.ModuleList(Correction(width * m, width * m, 2 * width, outputs) for m in factors)
        self.reading: Reading | None = None  # see DetectorNet.add_reading
        self.register_buffer("columns", torch.tensor([*range(5), *(5 + channel for channel in channels)]))

    @property
    def channels(self) -> tuple[int, ...]:
        """The class channels that the branch speaks for."""
        return tuple(int(column) - 5 for column in self.columns[5:])

    def forward(self, seen: Seen) -> Tensor:
        answers = seen.answers if self.reading is None else self.reading(seen.stages)
        answers = tuple(answer.index_select(1, self.columns) for answer in answers)
        if len(self.corrections):
            corrected = zip(self.corrections, seen.stages, seen.levels, answers, strict=True)
            answers = tuple(answer + correction(stage, level) for correction, stage, level, answer in corrected)
        return torch.cat([decode(answer, stride) for answer, stride in zip(answers, STRIDES, strict=True)], 1)


class Branches(nn.ModuleList):
    """The branches of a network, no label in two of them: what was seen to the predictions of each."""

    def forward(self, seen: Seen) -> tuple[Tensor, ...]:
        return tuple(branch(seen) for branch in self)

    @property
    def channels(self) -> tuple[tuple[int, ...], ...]:
        """The class channels of each."""
        return tuple(branch.channels for branch in self)
