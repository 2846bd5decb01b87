"""How well tracks follow the truth: HOTA, CLEAR and Identity by the package `trackers`, beside four of its trackers.

The package runs in an environment of its own (it brings an OpenCV with a window system, which must not meet ours), so
the two sides exchange MOTChallenge text in a folder: frames from 1, x y w h in pixels, class and visibility 1.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contracts.decoding import from_json
from contracts.errors import ConfigError
from contracts.messages import FrameDetections
from stream.geometry import Floats
from stream.tracking import distinct

REFERENCE = Path(__file__).with_name("tracking_reference.py")
COLUMNS = ("MOTA", "IDF1", "IDSW", "HOTA", "FP", "FN")
OURS = "Vedette"

Figures = dict[str, dict[str, dict[str, float]]]
"""By clip and tracker: the columns."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip's video: `scale` from its pixels to the truth's, and how many of its frames are one of the truth's."""

    video: Path
    scale: float = 1.0
    step: int = 1


@dataclass(frozen=True)
class Followed:
    """One clip: the truth, our tracks (both MOTChallenge rows [N,>=6]), and each frame's boxes [K,5] for the others.

    The report shows the worst frames where there is `footage`.
    """

    name: str
    truth: Floats
    tracks: Floats
    boxes: Sequence[Floats]
    footage: Footage | None = None


def measure(clips: Sequence[Followed], python: Path) -> Figures:
    """The figures of our tracks and of the four trackers on the same boxes; ConfigError when `python` can't do it."""
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            write_clip(Path(folder) / clip.name, clip.truth, clip.boxes, clip.tracks)
        return figures_of(Path(folder), python)


def figures_of(folder: Path, python: Path) -> Figures:
    """The figures of a folder of clips as `write_clip` fills it."""
    try:
        command = [str(python), str(REFERENCE), str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the user's own Python
    except OSError as error:
        raise ConfigError("trackers-python", f"{python} can't be run: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["it said nothing"]
        raise ConfigError("trackers-python", f"needs trackers==2.6.1 and the clips' text: {lines[-1]}") from error
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def write_clip(folder: Path, truth: Floats, boxes: Sequence[Floats], tracks: Floats) -> None:
    """Fills a clip's folder for the evaluation, in MOTChallenge text."""
    rows = [
        (index, -1, *box[:2], *(box[2:4] - box[:2]), box[4])
        for index, frame in enumerate(boxes, start=1)
        for box in frame
    ]
    folder.mkdir()
    for name, table_of in (("det", np.array(rows)), ("gt", _plain(truth)), (OURS, _plain(tracks))):
        np.savetxt(folder / f"{name}.txt", table_of, delimiter=",", fmt="%.6g")


def read_mot(path: Path, scale: float = 1.0) -> Floats:
    """Rows (frame, id, x, y, w, h) of a MOTChallenge file, in pixels times `scale`; ConfigError when it is none."""
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, usecols=range(6))
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "can't be read") from error
    except ValueError as error:
        raise ConfigError(path.name, f"is not MOTChallenge text: {error}") from error
    return np.asarray(rows * np.array([1, 1, scale, scale, scale, scale]))


def read_boxes(path: Path, label: str, scale: float = 1.0) -> list[Floats]:
    """The boxes [K,5] of a label in each frame of `vedette replay --detections`, as the tracker is given them."""
    frames = []
    for line in path.read_bytes().splitlines():
        frame = from_json(line, FrameDetections)
        frames.append(boxes_of(frame, label, scale))
    return frames


def boxes_of(frame: FrameDetections, label: str, scale: float = 1.0) -> Floats:
    """One frame's boxes [K,5] of a label: x0, y0, x1, y1 in pixels times `scale`, confidence; one an object."""
    own = [box for box in frame.detections if box.label == label]
    xyxy = np.array([box.xyxy for box in own], dtype=np.float64).reshape(-1, 4)
    confidence = np.array([box.confidence for box in own], dtype=np.float64)
    kept = distinct(xyxy, confidence, [label] * len(own))
    return np.concatenate((xyxy[kept] * scale, confidence[kept, None]), axis=1)


def _plain(rows: Floats) -> Floats:
    """Rows of nine columns with confidence, class and visibility 1, which the evaluation counts in full."""
    return np.concatenate((rows[:, :6], np.ones((len(rows), 3))), axis=1)
