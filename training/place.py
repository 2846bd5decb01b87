"""Where a training run computes: on the CPU, on one GPU, or as one of many that torchrun started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def first_alone(place: Place) -> Iterator[None]:
    """The first process goes before the others: what it prepares, they find in the cache."""
    if place.rank > 0:
        dist.barrier()
    yield
    if place.rank == 0 and place.world > 1:
        dist.barrier()


def leave(place: Place) -> None:
    """The end of a training by several processes."""
    if place.world > 1:
        dist.destroy_process_group()


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
