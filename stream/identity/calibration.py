"""What a look is worth and how rare a score is: measured once on people in no gallery, kept in the model's manifest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from contracts.decoding import convert
from contracts.errors import ModelError
from contracts.manifest import ModelManifest, ScoreCalibration, ScoreLevel
from stream.identity.tail import Tail


class Level(ScoreLevel, frozen=True, kw_only=True):
    """Scores of probes of at least this strength: the impostors' tail, and where the enrolled person's own lie."""

    impostors: Tail

    @property
    def strangers(self) -> tuple[float, float]:
        """Mean and deviation of all strangers' scores, were they normal.

        The excesses over a normal distribution's 99 % quantile, 2.326 deviations up, have a mean of .339 of them: that
        of a generalised Pareto tail is scale / (1 - shape).
        """
        deviation = self.impostors.scale / (1 - self.impostors.shape) / 0.339
        return self.impostors.start - 2.326 * deviation, deviation


class Calibration(ScoreCalibration, frozen=True, kw_only=True):
    """`qualities` and `cosines` map the embedder's quality to the cosine with the person (rising); levels rise too.

    `correlation` is the share of a look's noise that another look of the same track has in common with it.
    """

    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.qualities, self.qualities[1:], strict=False))
        if len(self.qualities) != len(self.cosines) or not self.qualities or not rising:
            raise ValueError("calibration: qualities must rise, with a cosine each")
        strengths = [level.strength for level in self.levels]
        if not strengths or strengths != sorted(set(strengths)):
            raise ValueError("calibration: the levels' strengths must rise")

    @property
    def alike(self) -> float:
        """How alike a good look at a person and their enrolled picture are in the mean."""
        return self.levels[-1].genuine_mean

    def cosine(self, quality: float) -> float:
        """The cosine that a look of this quality is expected to have with its person."""
        return float(np.interp(quality, self.qualities, self.cosines))

    def level(self, strength: float) -> Level:
        """The level of a probe of this strength; the lowest for one that is weaker than all."""
        reached = [level for level in self.levels if level.strength <= strength]
        return reached[-1] if reached else self.levels[0]

    def threshold(self, strength: float, wanted_rate: float, pictures: int) -> float:
        """The score that a stranger reaches with probability `wanted_rate` against any of so many pictures.

        1 - (1 - r)^n = wanted gives the rate r of one comparison: comparisons are taken as independent, which they are
        nearly in the tail (measured with 200 people: 1.04 times the wanted rate).
        """
        if pictures < 1:
            return math.inf
        single = -math.expm1(math.log1p(-wanted_rate) / pictures)
        return self.level(strength).impostors.score(single)

    def strangers(self, strength: float, score: float, pictures: int) -> float:
        """The share of strangers who would look so much like any of so many pictures."""
        rate = self.level(strength).impostors.rate(score)
        return -math.expm1(pictures * math.log1p(-rate)) if rate < 1 else 1.0

    def power(self, strength: float, threshold: float) -> float:
        """The share of enrolled people whose score would reach the threshold at this strength."""
        level = self.level(strength)
        return 0.5 * math.erfc((threshold - level.genuine_mean) / (level.genuine_std * math.sqrt(2)))


def calibration_of(manifest: ModelManifest) -> Calibration:
    """The calibration that an embedder's manifest holds; raises ModelError where there is none, or no usable one."""
    if manifest.calibration is None:
        raise ModelError(f"{manifest.id}: can't identify anybody: its manifest holds no calibration")
    try:
        return convert(manifest.calibration, Calibration, from_attributes=True)
    except msgspec.ValidationError as error:
        raise ModelError(f"{manifest.id}: calibration: {error}") from error


def rising(values: Sequence[float]) -> tuple[float, ...]:
    """The rising sequence that is nearest in squares (pool adjacent violators), for a measured curve that must rise."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (b, m), (a, n) = blocks.pop(), blocks.pop()
            blocks.append(((a * n + b * m) / (n + m), n + m))
    return tuple(value for value, count in blocks for _ in range(count))
