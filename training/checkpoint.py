"""Checkpoints that survive a kill at any moment: written beside, synced, then renamed over the last one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


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
