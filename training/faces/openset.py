"""Open-set identification as the stream does it: thresholds from a wanted rate, galleries of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from stream.identity import Calibration
from stream.identity.fusion import BEST, WORST
from training.faces import measures
from training.faces.evaluate import EVALUATION_SEED, Views

Floats = NDArray[np.float32]

SIZES = (50, 200, 500, 800)
"""People enrolled, one clean picture each."""

WANTED = 0.01
ALLOWED = (0.005, 0.02)
"""The rate of named strangers that is wanted, and what may be measured for it."""

RATES = np.logspace(-3, -1, 21)


class Interval(msgspec.Struct, frozen=True):
    """The mean of the splits, and the range in which nine tenths of them are."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2%} ({self.low:.2%}-{self.high:.2%})"


class OpenSet(msgspec.Struct, frozen=True, kw_only=True):
    """Probes of one look against a gallery of this size.

    `misses` belong to `rates` of named strangers, `misses_at_wanted` to WANTED exactly, with the threshold taken from
    the strangers themselves. With the threshold that the calibration derives, `named` strangers and `missed` people.
    """

    look: str
    enrolled: int
    mates: int
    strangers: int
    rates: tuple[float, ...]
    misses: tuple[Interval, ...]
    misses_at_wanted: Interval
    named: Interval
    missed: Interval


def open_set(
    views: Views, persons: NDArray[np.int64], calibration: Calibration, sizes: Sequence[int] = SIZES
) -> list[OpenSet]:
    """Every look of the views against galleries of every size, measures.SPLITS random splits each."""
    results = []
    for size in sizes:
        splits = measures.draw_splits(persons, EVALUATION_SEED, size)
        results += [_of_look(views, look, splits, calibration) for look in views.vectors]
    return results


def _of_look(views: Views, look: str, splits: list[measures.Split], calibration: Calibration) -> OpenSet:
    trials = [measures.identify(views.enrolled, views.vectors[look], split, views.cohort) for split in splits]
    curve = measures.misses_at(trials, np.array([*RATES, WANTED]))
    pictures = len(splits[0].gallery)
    derived = thresholds(views.qualities[look], calibration, pictures)
    named = [(trial.strangers >= derived[split.strangers]).mean() for trial, split in zip(trials, splits, strict=True)]
    missed = [trial.misses(derived[split.mates]).mean() for trial, split in zip(trials, splits, strict=True)]
    return OpenSet(
        look=look,
        enrolled=pictures,
        mates=len(splits[0].mates),
        strangers=len(splits[0].strangers),
        rates=tuple(RATES.tolist()),
        misses=tuple(interval(column) for column in curve.T[:-1]),
        misses_at_wanted=interval(curve[:, -1]),
        named=interval(named),
        missed=interval(missed),
    )


def thresholds(qualities: Floats, calibration: Calibration, pictures: int) -> Floats:
    """The score [N] that each single look of these qualities must reach, by the wanted rate of named strangers."""
    strengths = [min(max(calibration.cosine(float(quality)), WORST), BEST) for quality in qualities]
    return np.array([calibration.threshold(strength, WANTED, pictures) for strength in strengths], np.float32)


def interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Mean and the 5 and 95 % quantiles, to four digits."""
    low, high = np.quantile(values, (0.05, 0.95))
    return Interval(*(round(float(value), 4) for value in (np.mean(values), low, high)))


def write_open_set(results: Sequence[OpenSet], out: Path) -> list[str]:
    """Write open-set.json, open-set.md and open-set.png; returns the picture's name."""
    (out / "open-set.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    (out / "open-set.md").write_text(table(results))
    _plot(results, out / "open-set.png")
    return ["open-set.png"]


def table(results: Sequence[OpenSet]) -> str:
    """The figures as a table: mean and, in brackets, the range in which nine tenths of the splits are."""
    lines = [
        f"| faces | enrolled | strangers | missed at {WANTED:.0%} named | derived threshold: named | missed |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.look} | {one.enrolled} | {one.strangers} | {one.misses_at_wanted} | {one.named} | {one.missed} |"
        for one in results
    ]
    return "\n".join(lines) + "\n"


def open_set_metrics(results: Sequence[OpenSet]) -> dict[str, float]:
    """The rates with derived thresholds, as a manifest's metrics."""
    return {
        f"{one.look}.{one.enrolled}_enrolled.{name}": getattr(one, name).mean
        for one in results
        for name in ("named", "missed")
    }


def _plot(results: Sequence[OpenSet], path: Path) -> None:
    mpl.use("Agg")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5))
    for colour, look in enumerate(dict.fromkeys(one.look for one in results)):
        own = [one for one in results if one.look == look]
        at_200 = min(own, key=lambda one: abs(one.enrolled - 200))
        left.plot(at_200.rates, [m.mean for m in at_200.misses], color=f"C{colour}", label=look)
        bounds = ([m.low for m in at_200.misses], [m.high for m in at_200.misses])
        left.fill_between(at_200.rates, *bounds, color=f"C{colour}", alpha=0.15)
        errors = np.array([(m.mean - m.low, m.high - m.mean) for m in (one.named for one in own)]).T
        sizes = [one.enrolled for one in own]
        right.errorbar(sizes, [one.named.mean for one in own], errors, color=f"C{colour}", capsize=3, label=look)
    left.set(xlabel="named strangers (FPIR)", ylabel="missed people (FNIR)", title="200 enrolled", ylim=(1e-2, 1.05))
    right.axhspan(*ALLOWED, color="grey", alpha=0.15)
    right.axhline(WANTED, color="grey", linestyle=":")
    right.set(xlabel="enrolled", ylabel="named strangers", title="with the threshold that is derived for a wanted 1 %")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.grid(True, which="both", alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
