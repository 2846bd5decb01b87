"""A classifier as ONNX: uint8 pictures in, logits out, with its parity with torch and its INT8 variant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from contracts.errors import ModelError
from training.classifiers.network import ClassifierNet
from training.dataset import Picture
from training.export import traced, write_model
from training.predict import open_session
from training.quantise import quantise

BATCH = 16
MOST_DIFFERENCE = 1e-3
"""Of a logit: what sums of a thousand products differ by in another order, and far less than any threshold sees."""
TIMED = 20


class Exported(nn.Module):
    """uint8[N,S,S,3] BGR to logits [N,C]."""

    def __init__(self, net: ClassifierNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images.permute(0, 3, 1, 2).float())
        return logits


@dataclass(frozen=True, slots=True)
class Variant:
    """One exported file: its size, and its median time for one crop on one thread, ms."""

    path: Path
    megabytes: float
    milliseconds: float


def export_classifier(net: ClassifierNet, size: int, path: Path, pictures: Sequence[Picture]) -> float:
    """Write `images` uint8[N,S,S,3] BGR to `logits` f32[N,C]; the largest difference to torch on real pictures.

    Raises ModelError where that is more than rounding explains.
    """
    axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    write_model(traced(Exported(net).eval(), (example,), ["images"], ["logits"], axes), path)
    batch = np.stack(pictures)
    with torch.no_grad():
        ours = Exported(net)(torch.from_numpy(batch)).numpy()
    apart = float(abs(run(path, pictures) - ours).max())
    if not apart <= MOST_DIFFERENCE * max(1.0, float(abs(ours).max())):
        raise ModelError(f"{path.name}: says something else than torch: logits differ by {apart:.3g}")
    return apart


def export_int8(path: Path, pictures: Sequence[Picture]) -> Path:
    """Write the INT8 variant beside it, calibrated on training pictures."""
    beside = path.with_suffix(".int8.onnx")
    quantise(path, pictures, beside)
    return beside


def run(path: Path, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """The file's logits [N,C] of pictures uint8[S,S,3]."""
    session = open_session(path, 2)
    parts = [
        session.run(["logits"], {"images": np.stack(pictures[first : first + BATCH])})[0]
        for first in range(0, len(pictures), BATCH)
    ]
    return np.asarray(np.concatenate(parts), np.float64)


def timed(path: Path, picture: Picture) -> Variant:
    """The file with its size and speed."""
    session = open_session(path, 1)
    spent = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        session.run(["logits"], {"images": picture[None]})
        spent.append(time.perf_counter() - begun)
    return Variant(path, path.stat().st_size / 1e6, 1000 * float(np.median(spent)))
