"""How alike a false alarm that comes again looks, and how alike others do: where silencing's bounds come from.

    python -m tests.bench.silencing_bench --shared DIR [--confidence .3] [--every 5]

The bundled detector runs over CAVIAR's clips, which are recordings of one lobby camera on different days, and over
PETS09-S2L1. A box that no person of the ground truth is in is false. Each false box, taken as answered "false", is held
against every false box of the same camera that stands on its place later, also in another recording (the same thing
again: it should be silenced), and against every true box of the camera (somebody: must not be), by look alone and by
look and place. The table says for each pair of bounds what share of either would be silent.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from contracts.manifest import load_manifest
from stream.geometry import Floats, iou
from stream.vision.detector import detections
from stream.vision.image import fit, letterbox
from stream.vision.session import Session, SessionOptions
from tests.bench.tracking_bench import CLIPS

MODEL = Path("models/detector.json")
FALSE_IOU = 0.1
"""A box that overlaps every person by less shows none of them, and one that overlaps one by TRUE_IOU shows them."""
TRUE_IOU = 0.5
AGAIN_MS = 1_000
COSINES = (0.7, 0.75, 0.8, 0.85, 0.9)
PLACES = (0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Seen:
    """One box: whether it shows somebody, where (0-1 of the picture), when (ms of its clip) and how it looks."""

    clip: str
    at_ms: float
    true: bool
    xyxy: Floats
    look: Floats


def clips_of(shared: Path) -> Iterator[tuple[str, str, Path, Path, float]]:
    """Camera, clip's name, video, ground truth, and the factor from the video's pixels to those of the truth."""
    for folder in sorted((shared / "data/tracking/CAVIAR").iterdir()):
        if folder.is_dir():
            yield "lobby", folder.name, folder / f"{folder.name}.mp4", folder / "gt/gt.txt", 1.0
    pets = CLIPS[0]
    yield "pets", pets.name, shared / "data" / pets.video, shared / "data" / pets.gt, pets.scale


def boxes_of(session: Session, video: Path, truth: Path, scale: float, every: int, confidence: float) -> Iterator[Seen]:
    """The boxes of every `every`-th picture that are clearly somebody or clearly nobody."""
    rows = np.loadtxt(truth, delimiter=",", usecols=range(6))
    capture = cv2.VideoCapture(str(video))
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    for number in itertools.count(1):
        there, picture = capture.read()
        if not there:
            return
        if number % every:
            continue
        size = (picture.shape[1], picture.shape[0])
        inside = fit(size, session.input_size)
        canvas = letterbox(cv2.resize(picture, inside), inside, session.input_size, session.manifest.input.letterbox)
        found = detections(session.read(session.infer([canvas])[0]), session.label_names, inside, size)
        people = rows[rows[:, 0] == number][:, 2:6] / scale
        people = np.concatenate((people[:, :2], people[:, :2] + people[:, 2:]), axis=1)
        for one in found:
            if one.label != "person" or one.confidence < confidence or not one.embedding:
                continue
            overlap = iou([one.xyxy], people).max(initial=0.0)
            if FALSE_IOU <= overlap < TRUE_IOU:
                continue
            look = np.frombuffer(one.embedding, "<f2").astype(np.float64)
            yield Seen(
                video.stem, number * 1000 / fps, bool(overlap >= TRUE_IOU), np.array(one.xyxy) / (size * 2),
                look / np.linalg.norm(look),
            )  # fmt: skip


def shares(boxes: list[Seen]) -> str:
    """The table of one camera."""
    false, true = [one for one in boxes if not one.true], [one for one in boxes if one.true]
    lines = [f"{len(false)} false boxes, {len(true)} true ones"]
    if not false or not true:
        return lines[0]
    looks, places = (np.stack([getattr(one, name) for one in false]) for name in ("look", "xyxy"))
    same = np.array([[a.clip != b.clip or b.at_ms - a.at_ms >= AGAIN_MS for b in false] for a in false], dtype=np.bool_)
    alike, on_place = looks @ looks.T, iou(places, places)
    again = same & (on_place >= PLACES[0])
    others = looks @ np.stack([one.look for one in true]).T
    other_place = iou(places, np.stack([one.xyxy for one in true]))
    tens = (1, 5, 10, 25, 50)
    lines.append(f"cosine of the same again: percentiles {tens}: {np.percentile(alike[again], tens).round(2)}")
    lines.append(f"IoU of the same again:    percentiles {tens}: {np.percentile(on_place[again], tens).round(2)}")
    high = (50, 90, 99, 99.9)
    lines.append(f"cosine with people:       percentiles {high}: {np.percentile(others, high).round(2)}")
    near = other_place >= PLACES[0]
    told = np.percentile(others[near], high[:3]).round(2) if near.any() else "-"
    lines.append(
        f"people on such a place: {int(near.sum())} pairs of {near.size}; cosine, percentiles {high[:3]}: {told}"
    )
    lines.append("| cosine | IoU | again silent | somebody silent (any place) | somebody silent (with place) |")
    lines.append("|---|---|---|---|---|")
    for cosine, place in itertools.product((-1.0, *COSINES), PLACES):
        lines.append(
            f"| {cosine} | {place} | {((alike >= cosine) & (on_place >= place))[again].mean():.3f} "
            f"| {(others >= cosine).mean():.5f} | {((others >= cosine) & (other_place >= place)).mean():.6f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print a table a camera."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--confidence", type=float, default=0.3)
    parser.add_argument("--every", type=int, default=5)
    given = parser.parse_args()
    session = Session.open(load_manifest(MODEL), MODEL.parent, SessionOptions(device="cpu"))
    by_camera: dict[str, list[Seen]] = defaultdict(list)
    for camera, _, video, truth, scale in clips_of(given.shared):
        by_camera[camera] += boxes_of(session, video, truth, scale, given.every, given.confidence)
    for camera, boxes in by_camera.items():
        print(f"\n{camera}: {shares(boxes)}")


if __name__ == "__main__":
    main()
