"""The last, linear layer of the embedder: directions in which one person's faces differ count less.

Whitening by the scatter within people (WCCN; Hatch, Kajarekar, Stolcke, Interspeech 2006), but only half of it (the
power is 1/4 instead of 1/2 of the inverse scatter): chosen on the validation people, where all of it gave less.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from training.faces.mobilefacenet import EmbedderNet

Floats = NDArray[np.float32]

POWER = 0.25
FLOOR = 0.1
"""A direction's scatter counts as this share of the mean at least: it is estimated from few people."""


def within_people(vectors: Floats, middles: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix [D,D] and shift [D] that make of unit vectors [N,D] the ones to compare: x -> matrix x + shift.

    `middles` [N,D] are the unit vectors of each one's person. The vectors' mean goes to 0.
    """
    apart = (vectors - middles).astype(np.float64)
    scatter, directions = np.linalg.eigh(apart.T @ apart / len(apart))
    scale = (scatter + FLOOR * scatter.mean()) ** -POWER
    matrix = directions @ np.diag(scale / scale.mean()) @ directions.T
    return matrix, -matrix @ vectors.mean(0).astype(np.float64)


def set_metric(net: EmbedderNet, vectors: Floats, middles: Floats) -> None:
    """Fit the layer to vectors that the net gave while the layer changed nothing."""
    matrix, shift = within_people(vectors, middles)
    with torch.no_grad():
        net.metric.weight.copy_(torch.from_numpy(matrix))
        net.metric.bias.copy_(torch.from_numpy(shift))
