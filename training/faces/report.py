"""An evaluation of the face models as a folder that a person can read: figures, curves and the worst errors."""

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

from stream.vision.fusion import iou
from training.dataset import Picture, read_picture
from training.faces import measures
from training.faces.evaluate import FoundFaces, Views, rejection, scored, trials_of
from training.faces.people import SIDE, Faces
from training.faces.teachers import SAME_FACE_IOU, FaceBoxes
from training.tiles import GREEN, RED, YELLOW, tile, write_sheet

WORST = 12
RATES = np.logspace(-3, np.log10(0.3), 30)
REJECTIONS = np.linspace(0, 0.5, 26)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report's table: what was measured, and the model's and the reference's figure."""

    measure: str
    model: float
    reference: float | None = None


def write_metrics(model: dict[str, float], reference: dict[str, float], out: Path) -> None:
    """Write metrics.json."""
    out.mkdir(parents=True, exist_ok=True)
    document = {"model": model, "reference": reference}
    (out / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def write_page(title: str, note: str, rows: Sequence[Row], pictures: Sequence[str], out: Path, more: str = "") -> None:
    """Write report.md: a table, then what else is given, then the pictures."""
    lines = [f"# {title}", "", note, "", "| measure | model | reference |", "|---|---|---|"]
    for row in rows:
        beside = "" if row.reference is None else f"{row.reference:.4f}"
        lines.append(f"| {row.measure} | {row.model:.4f} | {beside} |")
    lines += ["", more] if more else []
    for picture in pictures:
        lines += ["", f"![{Path(picture).stem}]({picture})"]
    (out / "report.md").write_text("\n".join(lines) + "\n")


def plot_embedder(ours: Views, theirs: Views | None, persons: NDArray[np.int64], out: Path) -> list[str]:
    """Verification (DET), open-set identification (DET) and errors after rejection; returns the files' names."""
    mpl.use("Agg")
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(16, 5))
    for views, style, who in ((ours, "-", ""), (theirs, ":", " reference")):
        if views is None:
            continue
        for colour, look in enumerate(views.vectors):
            clean, vectors = views.vectors["clean"], views.vectors[look]
            genuine, impostor = measures.all_pairs(clean, vectors, persons)
            thresholds = np.quantile(impostor, 1 - RATES)
            rejects = [(genuine <= threshold).mean() for threshold in thresholds]
            left.plot(RATES, rejects, style, color=f"C{colour}", label=look + who)
            missed = measures.misses_at(trials_of(views, look, persons), RATES)
            middle.plot(RATES, missed.mean(0), style, color=f"C{colour}", label=look + who)
            if style == "-":
                low, high = np.quantile(missed, (0.05, 0.95), axis=0)
                middle.fill_between(RATES, low, high, color=f"C{colour}", alpha=0.15)
    left.set(xlabel="false accepts", ylabel="false rejects", title="verification against a clean picture, all pairs")
    middle.set(xlabel="named strangers (FPIR)", ylabel="missed people (FNIR)", title="open set, 200 enrolled")
    for axes in (left, middle):
        axes.set(xscale="log", yscale="log", ylim=(1e-3, 1.05))
        axes.grid(True, which="both", alpha=0.3)
    left.legend(fontsize=8)
    missed, wrong = rejection(ours, persons, REJECTIONS)
    right.plot(REJECTIONS, missed, label="missed at 1 % named strangers")
    right.plot(REJECTIONS, wrong, label="rank one wrong")
    right.set(xlabel="rejected by quality", ylabel="error of the rest", ylim=(0, None), title="quality, mixed faces")
    right.legend()
    right.grid(True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(out / "curves.png", dpi=90)
    pyplot.close(figure)
    return ["curves.png"]


def draw_worst_pairs(views: Views, faces: Faces, out: Path) -> list[str]:
    """The two people taken for one most surely, and the one person's faces that are least alike, clean."""
    vectors = views.vectors["clean"]
    rows, columns = np.triu_indices(len(faces.persons), 1)
    scores = (vectors @ vectors.T)[rows, columns]
    same = faces.persons[rows] == faces.persons[columns]
    strips = []
    for wrong in (np.where(same, -2, scores), np.where(same, -scores, -2)):
        worst = np.argsort(-wrong)[:WORST]
        pairs = [np.vstack([faces.pictures[rows[k]], faces.pictures[columns[k]]]) for k in worst]
        for pair, k in zip(pairs, worst, strict=True):
            cv2.putText(pair, f"{scores[k]:.2f}", (2, SIDE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 255), 1)
        strips.append(np.hstack(pairs))
    cv2.imwrite(str(out / "worst-pairs.jpg"), np.vstack([strips[0], np.zeros((8, strips[0].shape[1], 3)), strips[1]]))
    return ["worst-pairs.jpg"]


def plot_localiser(results: dict[str, list[FoundFaces]], known: dict[str, FaceBoxes], out: Path) -> list[str]:
    """Missed faces over false boxes a picture for each set, and the worst pictures; returns the files' names."""
    mpl.use("Agg")
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, items in results.items():
        hits, false = scored(items, known)
        thresholds = np.linspace(0.02, 0.98, 97)
        axes.plot(
            [max((false >= t).sum() / len(items), 1e-3) for t in thresholds],
            [max((hits < t).mean(), 1e-3) for t in thresholds],
            marker=".",
            label=f"{name} ({len(hits)} faces)",
        )
    axes.set(xlabel="false boxes a picture", ylabel="missed faces", xscale="log", yscale="log")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out / "misses.png", dpi=90)
    pyplot.close(figure)
    return ["misses.png", *_draw_worst_pictures(results, known, out)]


def _draw_worst_pictures(results: dict[str, list[FoundFaces]], known: dict[str, FaceBoxes], out: Path) -> list[str]:
    """The pictures with the least sure true faces (yellow) and the surest false boxes (red); found ones are green."""
    judged = []
    for item in (item for items in results.values() for item in items):
        hits, false = scored([item], known)
        judged.append((float((1 - hits).sum() + false.max(initial=0.0)), item))
    judged.sort(key=lambda pair: -pair[0])
    tiles = [_tile(item, known[item.key].xyxy) for _, item in judged[:WORST]]
    write_sheet(tiles, out / "worst-pictures.jpg")
    return ["worst-pictures.jpg"]


def _tile(item: FoundFaces, perhaps: NDArray[np.float32]) -> Picture:
    marked = [(box, YELLOW) for box in item.truth.xyxy]
    for face in item.found:
        box = np.asarray(face.xyxy, np.float32)
        marked.append((box, GREEN if (iou(box, perhaps) >= SAME_FACE_IOU).any() else RED))
    return tile(read_picture(item.path), marked)
