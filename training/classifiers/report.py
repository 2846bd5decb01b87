"""What a classifier's evaluation leaves behind: metrics.json, report.md, the plots, and the worst pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from training.classifiers.measures import Figures, Floats, Numbers, reliability
from training.classifiers.pictures import Labelled
from training.classifiers.views import middle

WORST = 12
TILE = 160


@dataclass(frozen=True)
class Measured:
    """What a model said of a set of pictures: probabilities [N,C], the true classes [N], and the figures."""

    name: str
    items: Sequence[Labelled]
    probabilities: Floats
    targets: Numbers
    figures: Figures


def flat_metrics(measured: Sequence[Measured], labels: Sequence[str]) -> dict[str, float]:
    """`<set>.accuracy`, `<set>.<label>.f1` and so on as one flat dict."""
    metrics: dict[str, float] = {}
    for one in measured:
        found = one.figures
        metrics[f"{one.name}.pictures"] = float(len(one.items))
        for name in ("accuracy", "macro_f1", "loss", "calibration_error"):
            metrics[f"{one.name}.{name}"] = round(float(getattr(found, name)), 4)
        for label, figures in zip(labels, found.classes, strict=True):
            for name in ("precision", "recall", "f1"):
                metrics[f"{one.name}.{label}.{name}"] = round(float(getattr(figures, name)), 4)
    return metrics


def write_report(
    title: str, labels: Sequence[str], measured: Sequence[Measured], more: dict[str, float], notes: str, out: Path
) -> dict[str, float]:
    """Write the report of one model's sets, `more` figures and notes; returns the metrics."""
    mpl.use("Agg")
    out.mkdir(parents=True, exist_ok=True)
    metrics = flat_metrics(measured, labels) | {name: float(f"{value:.4g}") for name, value in more.items()}
    (out / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(metrics)) + b"\n")
    lines = [f"# {title}", "", notes, ""]
    for one in measured:
        lines += _section(one, labels)
        _plot(one, labels, out / f"{one.name}.png")
        cv2.imwrite(str(out / f"{one.name}-worst.jpg"), _worst(one, labels))
        lines += ["", f"![confusion and reliability]({one.name}.png)", f"![worst]({one.name}-worst.jpg)", ""]
    lines += ["| figure | value |", "|---|---|", *(f"| {name} | {value:.4g} |" for name, value in more.items())]
    (out / "report.md").write_text("\n".join(lines) + "\n")
    return metrics


def _section(one: Measured, labels: Sequence[str]) -> list[str]:
    found = one.figures
    lines = [
        f"## {one.name}",
        "",
        f"{len(one.items)} pictures: accuracy {found.accuracy:.3f}, macro F1 {found.macro_f1:.3f}, "
        f"loss {found.loss:.3f}, calibration error {found.calibration_error:.3f}",
        "",
        "| class | pictures | precision | recall | F1 |",
        "|---|---|---|---|---|",
    ]
    for label, figures in zip(labels, found.classes, strict=True):
        if figures.pictures:
            rates = f"{figures.precision:.3f} | {figures.recall:.3f} | {figures.f1:.3f}"
            lines.append(f"| {label} | {figures.pictures} | {rates} |")
    return lines


def _plot(one: Measured, labels: Sequence[str], path: Path) -> None:
    """The confusion matrix, and what was right of what was said (reliability)."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    confusion = one.figures.confusion
    left.imshow(confusion / np.maximum(confusion.sum(1, keepdims=True), 1), vmin=0, vmax=1, cmap="Blues")
    left.set(xlabel="said", ylabel="true", title=f"{one.name}: accuracy {one.figures.accuracy:.3f}")
    if len(labels) <= 20:
        left.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        left.set_yticks(range(len(labels)), labels)
        for (row, column), count in np.ndenumerate(confusion):
            shade = "white" if count > confusion[row].sum() / 2 else "black"
            left.text(column, row, str(count), ha="center", va="center", color=shade)
    bins = reliability(one.probabilities, one.targets)
    right.plot((0, 1), (0, 1), linestyle=":", color="grey")
    right.plot([said for _, said, _ in bins], [share for _, _, share in bins], marker="o")
    for pictures, said, share in bins:
        right.annotate(str(pictures), (said, share), textcoords="offset points", xytext=(4, -10), fontsize=8)
    error = one.figures.calibration_error
    right.set(xlabel="said", ylabel="right", xlim=(0, 1), ylim=(0, 1.02), title=f"calibration error {error:.3f}")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _worst(one: Measured, labels: Sequence[str]) -> NDArray[np.uint8]:
    """The pictures whose true class was believed least, with what was said (red where that is wrong)."""
    true = one.probabilities[np.arange(len(one.targets)), one.targets]
    tiles = [_tile(one, int(place), labels) for place in np.argsort(true, kind="stable")[:WORST]]
    tiles += [np.zeros((TILE + 20, TILE, 3), np.uint8)] * (-len(tiles) % 6)
    return np.vstack([np.hstack(tiles[first : first + 6]) for first in range(0, len(tiles), 6)])


def _tile(one: Measured, place: int, labels: Sequence[str]) -> NDArray[np.uint8]:
    said = int(one.probabilities[place].argmax())
    right = said == one.targets[place]
    canvas = np.zeros((TILE + 20, TILE, 3), np.uint8)
    canvas[:TILE] = middle(one.items[place].read(), TILE)
    text = f"{labels[said][:16]} {one.probabilities[place, said]:.2f}"
    colour = (0, 255, 0) if right else (0, 0, 255)
    cv2.putText(canvas, text, (3, TILE + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1)
    return canvas
