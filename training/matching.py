"""Brings a network that is nearly another in line with it: each convolution's scale and bias, in closed form.

What a layer gives is fitted to what the other's gives, channel by channel, from the first to the last, so that each
sees inputs that are in line already: bias correction (arXiv:1906.04721, section 4.2) with a slope, and for a hinge with
the least value that fits its layer best.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layers import ConvAct, Hinge

# How far a slope may go: a channel that no longer says anything would be turned into noise, or off.
LEAST_SLOPE, MOST_SLOPE = 0.2, 2.0
# SiLU's least is -0.278.
LEASTS = (-0.27, -0.2, -0.12, -0.05, 0.0)
# The active side and its line depend on each other; after so many turns neither moves much.
TURNS = 6


@torch.no_grad()
def match(student: nn.Module, teacher: nn.Module, pictures: Tensor, parts: tuple[str, ...] = ("",)) -> None:
    """Change the student's convolutions and hinges so that each layer gives about what the teacher's of its name does.

    Only in the parts whose names begin with one of these. Networks with the same convolutions; `pictures` float
    [N,3,S,S] as they take them.
    """
    activated = {f"{name}.0": module[1] for name, module in student.named_modules() if isinstance(module, ConvAct)}
    for name, module in student.named_modules():
        if not isinstance(module, nn.Conv2d) or module.bias is None or not name.startswith(parts):
            continue  # what is added to another's has no bias of its own
        ours, theirs = _channels(_given(student, name, pictures)), _channels(_given(teacher, name, pictures))
        hinge = activated.get(name)
        if isinstance(hinge, Hinge):
            slope, shift, least = hinge_fit(ours, nn.functional.silu(theirs))
            hinge.least.fill_(least)
        else:
            slope, shift = line_fit(ours, theirs, torch.ones_like(ours))
        module.weight.mul_(slope[:, None, None, None])
        module.bias.mul_(slope).add_(shift)


def line_fit(ours: Tensor, theirs: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of [C,K] the slope and shift [C] of ours that come nearest to theirs where `counted` is 1."""
    count = counted.sum(1, keepdim=True).clamp(min=1.0)
    our_mean, their_mean = (
        (ours * counted).sum(1, keepdim=True) / count,
        (theirs * counted).sum(1, keepdim=True) / count,
    )
    apart = (ours - our_mean) * counted
    slope = ((apart * theirs).sum(1) / (apart * ours).sum(1).clamp(min=1e-8)).clamp(LEAST_SLOPE, MOST_SLOPE)
    return slope, their_mean[:, 0] - slope * our_mean[:, 0]


def hinge_fit(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor, float]:
    """Slope and shift [C], and one least value, so that max(slope * ours + shift, least) comes nearest to theirs."""
    best: tuple[Tensor, Tensor, float] | None = None
    lowest = float("inf")
    for least in LEASTS:
        slope, shift = line_fit(ours, theirs, torch.ones_like(ours))
        for _ in range(TURNS):
            slope, shift = line_fit(ours, theirs, (slope[:, None] * ours + shift[:, None] > least).to(ours))
        fitted = (slope[:, None] * ours + shift[:, None]).clamp(min=least)
        error = float(((fitted - theirs).square().mean(1) / theirs.var(1).clamp(min=1e-6)).mean())
        if error < lowest:
            best, lowest = (slope, shift, least), error
    assert best is not None
    return best


def _channels(values: Tensor) -> Tensor:
    """[N,C,h,w] as [C,N*h*w]."""
    return values.transpose(0, 1).flatten(1)


class _Reached(Exception):
    """The convolution that was waited for has been computed."""


def _given(net: nn.Module, name: str, pictures: Tensor) -> Tensor:
    """What the module of this name gives; nothing behind it is computed."""
    found: list[Tensor] = []

    def stop(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        found.append(output)
        raise _Reached

    handle = net.get_submodule(name).register_forward_hook(stop)
    try:
        net(pictures)
    except _Reached:
        pass
    finally:
        handle.remove()
    return found[0]
