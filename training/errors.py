"""The errors of trainings: there is too little to learn from yet, or one has run off."""

from __future__ import annotations

import math
from collections.abc import Mapping

from contracts.errors import ConfigError, VedetteError

TOO_LITTLE = 4
"""The exit code of a training that has too little to learn from."""


class TooLittleError(ConfigError):
    """Nothing is wrong with what was given, but there is too little of it to learn from."""


class DivergedError(VedetteError):
    """The loss or its gradient at a step is no number: nothing of that step is in the weights or the checkpoint."""

    def __init__(self, name: str, step: int, parts: Mapping[str, float], kept: str) -> None:
        told = ", ".join(f"{part} {value:g}" for part, value in parts.items())
        super().__init__(
            f"{name}: the loss ran off at step {step} ({told}). {kept}; from there the same step comes again. "
            "Give the recipe a lower learning_rate or more warmup_steps, and train into another folder (`cache` may be "
            "copied there)"
        )


def check_finite(name: str, step: int, parts: Mapping[str, float], every: int) -> None:
    """Raise DivergedError where a part of the loss, or the gradient among them, is no number.

    `every` is how many steps there are from checkpoint to checkpoint, `<name>-checkpoint.pt`.
    """
    if all(math.isfinite(value) for value in parts.values()):
        return
    last = step - step % every
    kept = f"{name}-checkpoint.pt holds the weights after step {last}" if last else "There is no checkpoint yet"
    raise DivergedError(name, step + 1, parts, kept)
