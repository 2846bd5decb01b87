"""Public re-identification networks as teachers: pictures of people in, vectors that know one from another out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.dataset import Picture

Floats = NDArray[np.float32]

# Both kinds look at 256x128 pixels.
HEIGHT, WIDTH = 256, 128
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class ReidConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ONNX file under `--data`.

    `osnet` takes RGB in ImageNet's scale, channels first; `retail` (Open Model Zoo) takes BGR 0-255, channels last.
    """

    weights: str
    kind: Literal["osnet", "retail"]
    weight: float = 1.0


class ReidTeachers:
    """Several networks as one: their unit vectors, weighted, in a row."""

    def __init__(self, configs: Sequence[ReidConfig], data: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._networks = [
            (config, onnxruntime.InferenceSession(str(data / config.weights), options, ["CPUExecutionProvider"]))
            for config in configs
        ]
        self.width = sum(int(session.get_outputs()[0].shape[-1]) for _, session in self._networks)

    def look(self, person: Picture) -> Floats:
        """float32[D] of one person's picture uint8[h,w,3] BGR."""
        pixels = cv2.resize(person, (WIDTH, HEIGHT)).astype(np.float32)
        parts = []
        for config, session in self._networks:
            feed = ((pixels[..., ::-1] / 255 - _MEAN) / _STD).transpose(2, 0, 1) if config.kind == "osnet" else pixels
            (found,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(feed, np.float32)[None]})
            parts.append(config.weight * found[0] / max(float(np.linalg.norm(found[0])), 1e-6))
        return np.concatenate(parts).astype(np.float32)
