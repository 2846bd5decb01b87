"""Takes channels out of a detector: those between two pointwise convolutions, which say least to what follows.

Only what is inside a bottleneck or a tower becomes narrower: what leaves it keeps its width, so that a student's stages
can still be held to its teacher's, and the appearance head and the branches read what they read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.layers import Bottleneck, DepthwiseConv

# Kernels compute this many channels at once: some that are left over would cost as much as all.
AT_ONCE = 8


class Chain(NamedTuple):
    """Convolutions that share channels: a pointwise one gives them, a depthwise passes them on, a third reads them."""

    gives: nn.Conv2d
    passes: nn.Conv2d
    reads: nn.Conv2d


def chains(net: nn.Module, parts: tuple[str, ...] = ("",)) -> Iterator[Chain]:
    """Those in the parts whose names begin with one of these, in the network's order."""
    for name, module in net.named_modules():
        if not name.startswith(parts):
            continue
        if isinstance(module, Bottleneck):
            yield _chain(module.reduce, module.conv)
        elif isinstance(module, nn.Sequential) and all(isinstance(part, DepthwiseConv) for part in module):
            first, second = module
            assert isinstance(first, DepthwiseConv)
            yield _chain(first[1], second)


def _chain(first: nn.Module, then: nn.Module) -> Chain:
    return Chain(*(_convolution(part) for part in (first, *then.children())))


def _convolution(part: nn.Module) -> nn.Conv2d:
    """That of a ConvAct."""
    found = part.get_submodule("0")
    assert isinstance(found, nn.Conv2d)
    return found


@torch.no_grad()
def prune(net: nn.Module, share: float, pictures: Tensor, parts: tuple[str, ...] = ("",)) -> None:
    """Take about this share of the channels of each chain in these parts out, as seen on `pictures` float [N,3,S,S].

    A channel says as much as it varies, times the norm of the weights that read it; what it gives on the mean goes into
    the reader's bias (bias correction, arXiv:1906.04721).
    """
    given = _given(net, pictures)
    for chain in chains(net, parts):
        values = given[chain.reads].transpose(0, 1).flatten(1)  # [C,N*h*w]
        read = chain.reads.weight[:, :, 0, 0]
        kept = (values.std(1) * read.norm(dim=0)).topk(_kept(len(values), share)).indices.sort().values
        dropped = torch.ones(len(values), dtype=torch.bool)
        dropped[kept] = False
        assert chain.reads.bias is not None
        chain.reads.bias += read[:, dropped] @ values.mean(1)[dropped]
        narrow(chain, kept)


def _kept(channels: int, share: float) -> int:
    return min(channels, max(1, round(channels * (1 - share) / AT_ONCE)) * AT_ONCE)


def narrow(chain: Chain, kept: Tensor) -> None:
    """Leave only these of a chain's channels."""
    for conv in (chain.gives, chain.passes):
        assert conv.bias is not None
        conv.weight, conv.bias = nn.Parameter(conv.weight[kept]), nn.Parameter(conv.bias[kept])
        conv.out_channels = len(kept)
    chain.passes.in_channels = chain.passes.groups = len(kept)
    chain.reads.weight = nn.Parameter(chain.reads.weight[:, kept])
    chain.reads.in_channels = len(kept)


def narrow_as(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Make each chain as narrow as in the state that is to be loaded; KeyError where that lacks one."""
    names = {module: name for name, module in net.named_modules()}
    for chain in chains(net):
        count = len(tensors[f"{names[chain.gives]}.weight"])
        if count < chain.gives.out_channels:
            narrow(chain, torch.arange(count))


def _given(net: nn.Module, pictures: Tensor) -> dict[nn.Conv2d, Tensor]:
    """What each chain's reader reads [N,C,h,w]."""
    found: dict[nn.Conv2d, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(module, nn.Conv2d)
        found[module] = inputs[0]

    handles = [chain.reads.register_forward_pre_hook(keep) for chain in chains(net)]
    net(pictures)
    for handle in handles:
        handle.remove()
    return found
