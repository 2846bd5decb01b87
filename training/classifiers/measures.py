"""How good a classifier is: confusion, precision, recall and F1 a class, and how far it can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

BINS = 10
TEMPERATURES = np.exp(np.linspace(np.log(0.1), np.log(20), 400))


@dataclass(frozen=True)
class ClassFigures:
    """One class: of how many pictures, and how well it is found."""

    pictures: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Figures:
    """`confusion` int64[C,C] counts true classes in rows, said ones in columns.

    `loss` is the mean of -log of the true class's probability, `calibration_error` the mean distance of what is right
    to what was said, over bins of the highest probability (ECE; Guo et al. 2017).
    """

    accuracy: float
    loss: float
    calibration_error: float
    classes: tuple[ClassFigures, ...]
    confusion: Numbers

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1."""
        return float(np.mean([one.f1 for one in self.classes]))


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities [N,C] of logits over the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def measure(probabilities: Floats, targets: Numbers) -> Figures:
    """The figures of probabilities [N,C] against the true classes [N]."""
    count = probabilities.shape[1]
    said = probabilities.argmax(1)
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (targets, said), 1)
    hits = np.diag(confusion)
    return Figures(
        accuracy=float((said == targets).mean()),
        loss=negative_log_likelihood(probabilities, targets),
        calibration_error=calibration_error(probabilities, targets),
        classes=tuple(
            _figures(int(hit), int(true), int(named))
            for hit, true, named in zip(hits, confusion.sum(1), confusion.sum(0), strict=True)
        ),
        confusion=confusion,
    )


def _figures(hits: int, true: int, named: int) -> ClassFigures:
    precision, recall = hits / named if named else 0.0, hits / true if true else 0.0
    return ClassFigures(true, precision, recall, 2 * hits / (true + named) if true + named else 0.0)


def negative_log_likelihood(probabilities: Floats, targets: Numbers) -> float:
    """The mean of -log of the true class's probability."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-12)).mean())


def best_temperature(logits: Floats, targets: Numbers) -> float:
    """The temperature that makes the probabilities of held-out logits say least wrong (Guo et al. 2017).

    With every picture right the best would be 0, which no further picture bears out; it is then left at 1.
    """
    if (logits.argmax(1) == targets).all():
        return 1.0
    losses = [negative_log_likelihood(softmax(logits, t), targets) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def reliability(probabilities: Floats, targets: Numbers) -> list[tuple[int, float, float]]:
    """For each bin of the highest probability that has pictures: how many, the mean said, the share that is right."""
    said, right = probabilities.max(1), probabilities.argmax(1) == targets
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        (int((bins == b).sum()), float(said[bins == b].mean()), float(right[bins == b].mean())) for b in np.unique(bins)
    ]


def calibration_error(probabilities: Floats, targets: Numbers) -> float:
    """The bins' distances between said and right, weighted by their pictures."""
    return sum(count * abs(said - right) for count, said, right in reliability(probabilities, targets)) / len(targets)
