"""The clips of a replay: which camera plays which, that each is a video, and how much room their frames take."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from contracts.config import Config, Detect, detect_of
from contracts.errors import ConfigError, VedetteError
from edge.__main__ import set_up_opencv
from edge.encode import encode_jpeg
from edge.motion import Image

SAMPLES = 3
"""Pictures of a clip, spread over it, that are encoded to estimate its room."""
OVERHEAD_BYTES = 4_000
"""What detections, tracks and the log's own records take for a frame beside its picture."""
SPARE_BYTES = 200_000_000
"""Logs, checkpoints and the broker's own files."""


@dataclass(frozen=True)
class Clip:
    """A video that can be read. `frames` is what its container says, 0 where that says nothing."""

    path: Path
    frames: int
    fps: float
    samples: tuple[Image, ...]


def assign(clips: Sequence[str], config: Config) -> dict[str, Clip]:
    """Which camera plays which clip: `CAMERA=FILE`, or files in the order of the config's cameras.

    Raises ConfigError for a camera that there is not, and for a file that is no video.
    """
    unnamed = iter(config.cameras)
    given: dict[str, Clip] = {}
    for clip in clips:
        camera, equals, file = clip.rpartition("=")
        name = camera if equals else next(unnamed, "")
        if name not in config.cameras:
            raise ConfigError(
                "cameras", f"{clip}: the config has no camera {name!r} left" if name else f"{clip}: one too many"
            )
        if name in given:
            raise ConfigError(f"cameras.{name}", "two clips for one camera")
        given[name] = open_clip(Path(file))
    return given


def open_clip(path: Path) -> Clip:
    """Open a video and read some of its pictures. Raises ConfigError with the file where that can't be done."""
    if not path.is_file():
        raise ConfigError("", f"{path}: no such file")
    set_up_opencv()  # what it says of a file that is no video, we say
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    try:
        frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        samples = tuple(_samples(capture, frames))
        if not samples:
            raise ConfigError("", f"{path}: no video that can be read")
        return Clip(path.resolve(), frames, capture.get(cv2.CAP_PROP_FPS) or 25.0, samples)
    finally:
        capture.release()


def _samples(capture: cv2.VideoCapture, frames: int) -> Iterator[Image]:
    for number in range(SAMPLES):
        if number:
            capture.set(cv2.CAP_PROP_POS_FRAMES, frames * number // SAMPLES)
        there, picture = capture.read()
        if there:
            yield picture


def room_bytes(clips: Mapping[str, Clip], config: Config) -> int:
    """About how much the frames of all clips take while they are replayed."""
    return SPARE_BYTES + sum(_room_bytes(clip, detect_of(config, name)) for name, clip in clips.items())


def _room_bytes(clip: Clip, detect: Detect) -> int:
    assert detect.jpeg_quality is not None
    sent, full = (
        [
            len(encode_jpeg(picture.copy(), height=height, quality=detect.jpeg_quality, masks=()))
            for picture in clip.samples
        ]
        for height in (detect.height, None)
    )
    share = min(1.0, (detect.detail_fps or 0.0) / clip.fps)
    frame_bytes = (1 - share) * sum(sent) / len(sent) + share * sum(full) / len(full)
    # Each frame is in the topic, and in the agent's spool until the broker has acknowledged it.
    return round(clip.frames * (frame_bytes + OVERHEAD_BYTES))


def check_room(needed: int, folder: Path) -> None:
    """Raises VedetteError where `folder` has less room than is needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise VedetteError(
            f"the frames need about {needed / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB left: "
            "name another place with --state DIR, or replay shorter clips"
        )
