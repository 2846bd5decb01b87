"""The tracker against four others on the same detections, in the figures of the package `trackers`.

    python -m tests.bench.tracking_bench --shared DIR --trackers-python PY [--fps 5] [--score .1] [--nms .45]

PY is the Python of an environment in which `trackers` 2.6.1 is installed, apart from ours because the package brings an
OpenCV with a window system; `make bench` makes it as .venv-trackers (`tests/bench/trackers.txt`).
DIR holds the clips with their ground truth and YOLOX-nano (`videos/`, `tracking/MOT15/`, `weights/`). The two sides
exchange MOTChallenge text in a temporary folder: frames from 1, x y w h in pixels, class and visibility 1.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stream.geometry import Floats, iou
from stream.tracking import Detections, Tracker, TrackerState
from training.tracking import COLUMNS, REFERENCE, figures_of, write_clip

__all__ = ["REFERENCE", "write_clip"]

INPUT = 416  # YOLOX-nano's picture


@dataclass(frozen=True)
class Clip:
    """A clip with ground truth; `scale` leads from its pixels to those of the ground truth."""

    name: str
    video: str
    gt: str
    fps: float
    scale: float
    picture: tuple[float, float]


CLIPS = (
    Clip("PETS09-S2L1", "videos/vtest_480x360.mp4", "tracking/MOT15/PETS09-S2L1/gt/gt.txt", 10.0, 1.6, (768.0, 576.0)),
    Clip("TUD-Campus", "videos/TUD-Campus.mp4", "tracking/MOT15/TUD-Campus/gt/gt.txt", 25.0, 1.0, (640.0, 480.0)),
)


class PersonDetector:
    """YOLOX-nano's people, decoded here so that the bench stands on the bare model."""

    def __init__(self, weights: Path, score: float, nms: float) -> None:
        self._session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
        self._score, self._nms = score, nms
        cells, strides = [], []
        for stride in (8, 16, 32):
            side = INPUT // stride
            y, x = np.mgrid[:side, :side]
            cells.append(np.stack((x.ravel(), y.ravel()), axis=1))
            strides.append(np.full((side * side, 1), stride))
        self._cells, self._strides = np.concatenate(cells), np.concatenate(strides)

    def __call__(self, bgr: NDArray[np.uint8]) -> Floats:
        """People [N,5] as x0, y0, x1, y1, confidence in the picture's pixels."""
        ratio = INPUT / max(bgr.shape[:2])
        small = cv2.resize(bgr, (round(bgr.shape[1] * ratio), round(bgr.shape[0] * ratio)))
        square = np.full((INPUT, INPUT, 3), 114, dtype=np.float32)
        square[: small.shape[0], : small.shape[1]] = small
        (raw,) = self._session.run(None, {self._session.get_inputs()[0].name: square.transpose(2, 0, 1)[None]})[0]
        centres = (raw[:, :2] + self._cells) * self._strides
        sizes = np.exp(raw[:, 2:4]) * self._strides
        confidence = raw[:, 4] * raw[:, 5]
        people = np.concatenate(
            ((centres - sizes / 2) / ratio, (centres + sizes / 2) / ratio, confidence[:, None]), axis=1
        )
        people = people[confidence >= self._score]
        return people[self._best(people)]

    def _best(self, people: Floats) -> list[int]:
        """Greedy non-maximum suppression: the rows that stay, most confident first."""
        overlap, kept = iou(people[:, :4], people[:, :4]), list[int]()
        for row in np.argsort(-people[:, 4], kind="stable").tolist():
            if not (overlap[row, kept] > self._nms).any():
                kept.append(row)
        return kept


def pictures(video: Path, every: int) -> Iterator[NDArray[np.uint8]]:
    """Each `every`th picture of a video, the first one first."""
    capture = cv2.VideoCapture(str(video))
    index = 0
    while True:
        there, bgr = capture.read()
        if not there:
            return
        if index % every == 0:
            yield bgr
        index += 1


def detect(clip: Clip, shared: Path, detector: PersonDetector, every: int) -> list[Floats]:
    """The people [N,5] in each frame, in the ground truth's pixels."""
    scale = np.array([clip.scale] * 4 + [1.0])
    return [detector(bgr) * scale for bgr in pictures(shared / clip.video, every)]


def follow(frames: list[Floats], fps: float, picture: tuple[float, float]) -> tuple[Floats, list[float]]:
    """MOTChallenge rows of our tracker with its default config, and the milliseconds of each step."""
    tracker, state = Tracker(), TrackerState()
    rows, elapsed_ms = [], []
    for index, people in enumerate(frames):
        at_ms = round(1000 * index / fps)
        boxes = Detections(at_ms, people[:, :4], people[:, 4], ("person",) * len(people), picture=picture)
        started = time.perf_counter()
        state, tracks = tracker.step(state, boxes)
        elapsed_ms.append(1000 * (time.perf_counter() - started))
        for track in tracks:
            x0, y0, x1, y1 = track.xyxy
            rows.append((index + 1, track.track_id, x0, y0, x1 - x0, y1 - y0, 1, 1, 1))
    return np.array(rows, dtype=np.float64).reshape(-1, 9), elapsed_ms


def ground_truth(path: Path, every: int) -> Floats:
    """MOTChallenge rows with confidence, class and visibility 1, of each `every`th frame, numbered from 1."""
    rows = np.loadtxt(path, delimiter=",")[:, :9]
    rows[:, 6:] = 1
    rows = rows[(rows[:, 0] - 1) % every == 0]
    rows[:, 0] = (rows[:, 0] - 1) // every + 1
    return np.asarray(rows)


def prepare(clip: Clip, shared: Path, folder: Path, detector: PersonDetector, every: int) -> list[float]:
    """Fills the clip's folder for the evaluation; the milliseconds of our steps."""
    frames = detect(clip, shared, detector, every)
    tracked, elapsed_ms = follow(frames, clip.fps / every, clip.picture)
    write_clip(folder, ground_truth(shared / clip.gt, every), frames, tracked)
    return elapsed_ms


def table(report: dict[str, dict[str, dict[str, float]]], elapsed_ms: dict[str, list[float]]) -> str:
    """The comparison, a block a clip."""
    lines = []
    for clip, trackers in report.items():
        step_ms = elapsed_ms[clip]
        lines.append(f"{clip}: {len(step_ms)} frames, step() {statistics.median(step_ms):.2f} ms a frame (median)")
        lines.append(f"  {'':10}" + "".join(f"{column:>7}" for column in COLUMNS))
        for name, figures in trackers.items():
            cells = (f"{figures[c]:7.3f}" if c in ("MOTA", "IDF1", "HOTA") else f"{figures[c]:7.0f}" for c in COLUMNS)
            lines.append(f"  {name:10}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with videos/, tracking/ and weights/")
    parser.add_argument("--trackers-python", type=Path, required=True, help="Python that has trackers==2.6.1")
    parser.add_argument("--fps", type=float, help="take only every so many frames as to come near this rate")
    parser.add_argument("--score", type=float, default=0.1, help="least confidence of a detection")
    parser.add_argument("--nms", type=float, default=0.45, help="IoU at which the weaker of two boxes is dropped")
    options = parser.parse_args()
    detector = PersonDetector(options.shared / "weights/yolox_nano.onnx", options.score, options.nms)
    with tempfile.TemporaryDirectory() as folder:
        elapsed_ms = {}
        for clip in CLIPS:
            every = max(1, round(clip.fps / options.fps)) if options.fps else 1
            elapsed_ms[clip.name] = prepare(clip, options.shared, Path(folder) / clip.name, detector, every)
        figures = figures_of(Path(folder), options.trackers_python)
    print(table(figures, elapsed_ms))


if __name__ == "__main__":
    main()
