"""Checkpoints and caches that survive a kill at any moment: written beside, synced, then renamed over the last one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from archive.evidence.durable import replace


def save(state: dict[str, Any], path: Path) -> None:
    """Write the state so that `path` always holds a whole checkpoint, the old one or the new."""
    beside = path.with_suffix(".partial")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The last checkpoint, or None where there is none yet."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def save_arrays(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write the arrays so that `np.load` finds the old file or the new one, whole."""
    packed = BytesIO()
    np.savez_compressed(packed, **arrays)
    replace(path, packed.getvalue())
