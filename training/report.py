"""An evaluation as a folder that a person can read: metrics.json, report.md, curves and the worst errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from stream.vision.fusion import iou
from training.dataset import Picture, read_picture
from training.evaluate import Found, Matches, SetResult, match, sample_labels
from training.recipe import DetectorRecipe
from training.tiles import GREEN, RED, YELLOW, tile, write_sheet

WORST = 6
CALIBRATION_BINS = 10


def write_report(
    title: str,
    both: tuple[Sequence[SetResult], Sequence[SetResult]],
    time: float | None,
    recipe: DetectorRecipe,
    out: Path,
) -> dict[str, float]:
    """Write the report of a model beside the same figures of a reference detector; returns the model's metrics."""
    results, reference = both
    mpl.use("Agg")
    out.mkdir(parents=True, exist_ok=True)
    metrics = flat_metrics(results)
    if time is not None:
        metrics["time_ratio"] = round(time, 3)
    document = {"model": metrics, "reference": flat_metrics(reference)}
    (out / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    lines = [
        f"# {title}",
        "",
        "| set | pictures | measure | model | reference |",
        "|---|---|---|---|---|",
    ]
    beside = {result.name: result for result in reference}
    for result in results:
        lines += _rows(result, beside.get(result.name))
    if time is not None:
        lines += ["", f"Time a picture on one core: {time:.2f} of the reference's bare network in the same run."]
    for result in results:
        curves = {name: match(result.found, label, recipe) for label, name in enumerate(recipe.labels)}
        _plot(result.name, {name: c for name, c in curves.items() if c.boxes}, out / f"{result.name}.png")
        _draw_worst(result, recipe, out / f"{result.name}-worst.jpg")
        lines += ["", f"## {result.name}", "", f"![curves]({result.name}.png)", f"![worst]({result.name}-worst.jpg)"]
    (out / "report.md").write_text("\n".join(lines) + "\n")
    return metrics


def flat_metrics(results: Sequence[SetResult]) -> dict[str, float]:
    """`<set>.<label>.ap50` and the means over labels as one flat dict."""
    metrics: dict[str, float] = {}
    for result in results:
        metrics |= {f"{result.name}.{label}.ap50": round(value, 4) for label, value in result.ap50.items()}
        metrics[f"{result.name}.mean_ap50"] = round(result.mean_ap50, 4)
        metrics[f"{result.name}.mean_ap"] = round(result.mean_ap, 4)
    return metrics


def _rows(result: SetResult, other: SetResult | None) -> list[str]:
    def row(measure: str, ours: float, theirs: float | None) -> str:
        beside = "" if theirs is None else f"{theirs:.3f}"
        return f"| {result.name} | {len(result.found)} | {measure} | {ours:.3f} | {beside} |"

    rows = [row(f"{name} AP50", value, other.ap50.get(name) if other else None) for name, value in result.ap50.items()]
    if len(result.ap50) > 1:
        rows.append(row("mean AP50", result.mean_ap50, other.mean_ap50 if other else None))
    rows.append(row("mean AP50-95", result.mean_ap, other.mean_ap if other else None))
    return rows


def _plot(title: str, curves: dict[str, Matches], path: Path) -> None:
    """Precision over recall, and precision in bins of the score (calibration)."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for name, curve in curves.items():
        left.plot(curve.recall, curve.precision, label=f"{name} ({curve.boxes})")
        bins = np.clip((curve.scores * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
        used = np.unique(bins)
        right.plot((used + 0.5) / CALIBRATION_BINS, [curve.hits[bins == b].mean() for b in used], marker="o")
    left.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=title)
    right.plot((0, 1), (0, 1), linestyle=":", color="grey")
    right.set(xlabel="score", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02), title="calibration")
    left.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _draw_worst(result: SetResult, recipe: DetectorRecipe, path: Path) -> None:
    """The pictures with the surest false boxes (red) and the most missed ones (yellow); right ones are green."""
    judged = [(_judge(item, recipe), item) for item in result.found]
    judged.sort(key=lambda pair: -(pair[0][0]))
    write_sheet([_tile(item, false, missed) for (_, false, missed), item in judged[:WORST]], path)


def _judge(item: Found, recipe: DetectorRecipe) -> tuple[float, NDArray[np.bool_], NDArray[np.bool_]]:
    """How bad: the scores of false boxes plus a half for each missed one; which are false [K], which missed [N]."""
    truth, labels = item.sample.xyxy, sample_labels(item.sample, recipe)
    false = np.zeros(len(item.scores), bool)
    missed = np.ones(len(truth), bool)
    for index in np.argsort(-item.scores, kind="stable"):
        overlaps = iou(item.boxes[index], truth) * (labels == item.labels[index]) * missed
        if len(overlaps) and overlaps.max() >= 0.5:
            missed[int(overlaps.argmax())] = False
        else:
            false[index] = True
    return float(item.scores[false].sum() + 0.5 * missed.sum()), false, missed


def _tile(item: Found, false: NDArray[np.bool_], missed: NDArray[np.bool_]) -> Picture:
    sure = item.scores >= 0.25
    marked = [(box, RED if wrong else GREEN) for box, wrong in zip(item.boxes[sure], false[sure], strict=True)]
    marked += [(box, YELLOW) for box in item.sample.xyxy[missed]]
    return tile(read_picture(item.sample.path), marked)
