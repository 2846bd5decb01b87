"""What teachers say of a set's pictures, kept on disk as they go: a kill costs the last few pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.checkpoint import save_arrays
from training.dataset import DataSet, Picture, read_picture

Arrays = dict[str, NDArray[Any]]
Look = Callable[[Picture], Sequence[NDArray[Any]]]

SLICE = 100
"""Pictures from one save to the next: minutes of several teachers' work, of which saving the boxes of 10,000 pictures
(3 s) is a hundredth."""


def looked_at(data: DataSet, parts: Sequence[str], look: Look, path: Path) -> Arrays:
    """What `look` says of each picture, the arrays `parts` under `<sample's key>:<part>`; `path` keeps them."""
    stored: Arrays = {}
    if path.exists():
        with np.load(path) as kept:
            stored = dict(kept)
    missing = [sample for sample in data.samples if f"{sample.key}:{parts[0]}" not in stored]
    bar = tqdm(missing, desc=f"teachers look at {data.config.name}", disable=not missing)
    for count, sample in enumerate(bar, 1):
        said = zip(parts, look(read_picture(sample.path)), strict=True)
        stored |= {f"{sample.key}:{part}": array for part, array in said}
        if count % SLICE == 0 or count == len(missing):
            save_arrays(stored, path)
    return stored
