"""Tracking through `vedette replay` with the bundled model, against four other trackers on the boxes that it gave.

    python -m tests.bench.replay_bench --shared DIR --trackers-python PY [--model FILE] [--fps 5] [--out DIR]

DIR and PY are as for `tracking_bench`. At `--fps` the replay's frames are thinned out and decided anew (no broker);
otherwise the tracks are those that the replay wrote.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import yaml

from contracts.config import Config
from contracts.config_file import load
from contracts.messages import FrameDetections
from stream.geometry import Floats
from stream.jobs.decider import Decider, LaneState
from tests.bench.tracking_bench import CLIPS, Clip, ground_truth
from training.tracking import Followed, Footage, boxes_of, measure, read_mot
from training.tracking_report import table, write_report
from vedette.replay import mot_lines

CAMERA = "bench"


def replay(
    clip: Clip, shared: Path, folder: Path, model: Path | None
) -> tuple[Config, Path, tuple[FrameDetections, ...]]:
    """The config, the tracks' file and the detections of one clip."""
    config = folder / "config.yaml"
    camera = {"inputs": [{"url": "rtsp://127.0.0.1/none"}], "objects": {"track": ["person"]}}
    stream = {"stream": {"model": str(model.resolve())}} if model is not None else {}
    config.write_text(yaml.safe_dump({"cameras": {CAMERA: camera}, **stream}))
    mot, detections = folder / f"{clip.name}.txt", folder / f"{clip.name}.jsonl"
    command = [sys.executable, "-m", "vedette", "replay", f"{CAMERA}={shared / clip.video}", "--config", str(config)]
    subprocess.run([*command, "--mot", str(mot), "--detections", str(detections)], check=True)
    frames = (msgspec.json.decode(line, type=FrameDetections) for line in detections.read_bytes().splitlines())
    return load(config), mot, tuple(frames)


def decided(config: Config, frames: Sequence[FrameDetections], folder: Path) -> Path:
    """The tracks of some of the frames, numbered anew, as the decide job would write them."""
    decider, state, found = Decider(config), LaneState(), []
    for index, frame in enumerate(frames):
        state, decision = decider.frame(state, msgspec.structs.replace(frame, index=index))
        found.append(decision.tracks)
    path = folder / "decided.txt"
    path.write_text("".join(mot_lines(tracks for tracks in found if tracks is not None)))
    return path


def followed(clip: Clip, shared: Path, fps: float | None, model: Path | None = None) -> Followed:
    """One clip as the replay followed it."""
    every = max(1, round(clip.fps / fps)) if fps else 1
    with tempfile.TemporaryDirectory() as name:
        config, mot, frames = replay(clip, shared, Path(name), model)
        again = decided(config, frames[::every], Path(name))
        tracks = read_mot(again, clip.scale)
        if every == 1 and not np.array_equal(tracks, read_mot(mot, clip.scale)):
            raise AssertionError("the decider alone gives other tracks than the replay")
    boxes: list[Floats] = [boxes_of(frame, "person", clip.scale) for frame in frames[::every]]
    footage = Footage(shared / clip.video, clip.scale, every)
    return Followed(clip.name, ground_truth(shared / clip.gt, every), tracks, boxes, footage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with videos/ and tracking/")
    parser.add_argument("--trackers-python", type=Path, required=True, help="Python that has trackers==2.6.1")
    parser.add_argument("--model", type=Path, help="another manifest than the default detector's")
    parser.add_argument("--fps", type=float, help="take only every so many frames as to come near this rate")
    parser.add_argument("--out", type=Path, help="metrics.json, report.md and plots go here too")
    options = parser.parse_args()
    shared = options.shared.resolve()
    clips = [followed(clip, shared, options.fps, options.model) for clip in CLIPS]
    figures = measure(clips, options.trackers_python)
    if options.out is not None:
        write_report(figures, clips, options.out)
    print(table(figures))


if __name__ == "__main__":
    main()
