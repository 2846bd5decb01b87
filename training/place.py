"""Where a training run computes: on the CPU, on one GPU, or as one of many that torchrun started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process computes: its device, its rank and how many train together (torchrun)."""

    device: torch.device
    rank: int = 0
    world: int = 1


def find_place() -> Place:
    """torchrun's ranks where it started us; else one GPU, else the CPU."""
    cuda = torch.cuda.is_available()
    if not dist.is_torchelastic_launched():
        return Place(torch.device("cuda" if cuda else "cpu"))
    # The others wait for the first process to prepare the data: teachers of a large set take hours.
    dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    device = torch.device("cuda", dist.get_node_local_rank()) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    return Place(device, dist.get_rank(), dist.get_world_size())
