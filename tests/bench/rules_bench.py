"""The rules against the truth: random scenes for every kind, and real tracks against ground truth boxes.

    python -m tests.bench.rules_bench worlds [--scenes 300]
    python -m tests.bench.rules_bench clip --shared DIR --trackers-python PY [--seeds 5]

`worlds`: F1 of events within 0.5 s of the truth, at 5, 10 and 25 frames a second and at irregular intervals.
`clip`: zone entries, loitering and line crossings on PETS09-S2L1 for 20 random zones and lines: the rules on our tracks
and on those of four other trackers (YOLOX-nano's boxes for all), against the same rules on the ground truth's boxes.
DIR and PY are as for `tracking_bench`.
"""

import argparse
import math
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from contracts.messages import Detection, Event, FrameDetections, FrameRef
from stream.geometry import Floats
from stream.rules import CameraRules
from stream.tracking import Detections, Track, Tracker, TrackerState
from tests.bench import tracking_bench
from tests.bench.tracking_bench import CLIPS, REFERENCE, Clip, PersonDetector
from tests.rule_scenes import T0_MS, frames_of, rules_of, run, seconds, starts, times_of
from tests.rule_worlds import WORLDS, anomalies, draw, f1, health, matched

TOLERANCE_S = 0.5
RATES = {"5": 5.0, "10": 10.0, "25": 25.0, "irregular": 12.0}
OTHERS = ("ByteTrack", "SORT", "OC-SORT", "C-BIoU")
Frames = list[tuple[FrameDetections, list[Track]]]


def worlds(scenes: int) -> str:
    """F1 of every kind at every rate, over so many scenes each; for the kinds without frames over as many runs."""
    lines = [f"{'':14}" + "".join(f"{rate:>11}" for rate in RATES) + "   true events"]
    for kind in WORLDS:
        totals = {rate: _world(kind, rate, scenes) for rate in RATES}
        cells = "".join(f"{f1(*total):11.4f}" for total in totals.values())
        lines.append(f"{kind:14}{cells}{sum(int(total[1]) for total in totals.values()):14d}")
    for kind in ("camera_down", "tamper", "anomaly"):
        drawn = (np.random.default_rng(seed) for seed in range(scenes))
        stories = (anomalies(rng) if kind == "anomaly" else health(kind, rng) for rng in drawn)
        total = sum(_counts(truth, events) for truth, events in stories)
        lines.append(f"{kind:14}{f1(*total):11.4f}{'':33}{int(total[1]):14d}")
    return "\n".join(lines)


def _world(kind: str, rate: str, scenes: int) -> np.ndarray:
    total = np.zeros(3, dtype=int)
    for seed in range(scenes):
        rng = np.random.default_rng([seed, list(WORLDS).index(kind), list(RATES).index(rate)])
        rules, walkers, truth, length_s = draw(kind, rng)
        times = times_of(length_s, RATES[rate], rng if rate == "irregular" else None)
        _, _, events = run(rules, frames_of(walkers, times, 0.5, rng))
        total += _counts(truth, events)
    return total


def _counts(truth: Sequence[tuple[float, str]], events: Sequence[Event]) -> np.ndarray:
    found = [(seconds(event), event.label) for event in starts(events)]
    return np.array([matched(list(truth), found, TOLERANCE_S), len(truth), len(found)])


def places(seed: int) -> CameraRules:
    """Ten random zones, each with an entry and a loitering rule, and ten random lines."""
    rng = np.random.default_rng(seed)
    zones, lines, rules = {}, {}, {}
    for k in range(10):
        corners, radius = int(rng.integers(4, 7)), rng.uniform(0.12, 0.25, 2)
        centre = rng.uniform(0.25, 0.75, 2)
        angles = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * math.pi / corners
        outline = np.clip(centre + radius * np.stack((np.cos(angles), np.sin(angles)), axis=1), 0, 1)
        zones[f"z{k}"] = [tuple(map(float, corner)) for corner in outline]
        rules[f"entry{k}"] = {"kind": "zone_entry", "zone": f"z{k}"}
        rules[f"stay{k}"] = {"kind": "loitering", "zone": f"z{k}", "after_s": 5}
        angle, half, middle = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.7, 2)
        ends = np.array([middle - half * _unit(angle), middle + half * _unit(angle)])
        lines[f"l{k}"] = [tuple(map(float, end)) for end in np.clip(ends, 0, 1)]
        rules[f"cross{k}"] = {"kind": "line_crossing", "line": f"l{k}"}
    return rules_of(rules, zones, lines)


def _unit(angle: float) -> Floats:
    return np.array([math.cos(angle), math.sin(angle)])


def frame_of(clip: Clip, index: int, boxes: Floats, at_ms: int) -> FrameDetections:
    """One frame of a clip with the detector's boxes [N,5]."""
    width, height = map(int, clip.picture)
    return FrameDetections(
        site="site", camera="gate", lane="live", session=1, index=index, captured_at_ms=at_ms, detected_at_ms=0,
        width=width, height=height, detail=False, motion=0.1, ref=FrameRef("frames.site", 0, index), model="bench@1",
        detections=tuple(
            Detection(xyxy=(x0, y0, x1, y1), confidence=min(confidence, 1.0), label="person")
            for x0, y0, x1, y1, confidence in boxes.tolist()
        ),
    )  # fmt: skip


def our_tracks(clip: Clip, detections: Sequence[Floats], fps: float) -> Frames:
    """Each frame with the tracks of our tracker."""
    tracker, state, frames = Tracker(), TrackerState(), []
    for index, boxes in enumerate(detections):
        at_ms = T0_MS + round(1000 * index / fps)
        labels = ("person",) * len(boxes)
        seen = Detections(at_ms, boxes[:, :4], boxes[:, 4], labels, picture=clip.picture)
        state, tracks = tracker.step(state, seen)
        frames.append((frame_of(clip, index, boxes, at_ms), list(tracks)))
    return frames


def their_tracks(clip: Clip, rows: Floats, count: int, fps: float) -> Frames:
    """Each frame with the boxes of MOTChallenge rows as tracks: another tracker's, or the ground truth's."""
    first = {int(i): int(rows[rows[:, 1] == i][:, 0].min()) for i in np.unique(rows[:, 1])}
    frames: Frames = []
    for index in range(count):
        at_ms = T0_MS + round(1000 * index / fps)
        here = rows[rows[:, 0] == index + 1]
        boxes = np.concatenate((here[:, 2:4], here[:, 2:4] + here[:, 4:6], np.ones((len(here), 1))), axis=1)
        tracks = [
            Track(
                track_id=int(row[1]),
                xyxy=(x0, y0, x1, y1),
                confidence=1.0,
                label="person",
                detection=k,
                first_seen_at_ms=T0_MS + round(1000 * (first[int(row[1])] - 1) / fps),
                last_seen_at_ms=at_ms,
                moved_at_ms=at_ms,
                velocity=(0.0, 0.0),
            )
            for k, (row, (x0, y0, x1, y1, _)) in enumerate(zip(here, boxes.tolist(), strict=True))
        ]
        frames.append((frame_of(clip, index, boxes, at_ms), tracks))
    return frames


def compared(rules: CameraRules, truth: Frames, found: Frames) -> dict[str, np.ndarray]:
    """(pairs, true events, events found) by kind; an event is found by its own rule within the tolerance."""
    _, _, true_events = run(rules, truth)
    _, _, events = run(rules, found)
    totals: dict[str, np.ndarray] = {}
    for rule in rules.active:
        here = [(seconds(e), "") for e in starts(true_events) if e.rule == rule.name]
        there = [(seconds(e), "") for e in starts(events) if e.rule == rule.name]
        counts = np.array([matched(here, there, TOLERANCE_S), len(here), len(there)])
        totals[rule.kind] = totals.get(rule.kind, np.zeros(3, dtype=int)) + counts
    return totals


def clip_table(truth: Frames, candidates: dict[str, Frames], seeds: int) -> str:
    """F1 by seed and tracker, and by kind over all seeds."""
    lines = [f"{'seed':14}" + "".join(f"{name:>11}" for name in candidates) + "   true events"]
    kinds: dict[str, dict[str, np.ndarray]] = {}
    for seed in range(seeds):
        rules, cells = places(seed), []
        for name, frames in candidates.items():
            totals = compared(rules, truth, frames)
            total = sum(totals.values())
            cells.append(f"{f1(*total):11.3f}")
            for kind, counts in totals.items():
                row = kinds.setdefault(kind, {})
                row[name] = row.get(name, np.zeros(3, dtype=int)) + counts
        lines.append(f"{seed:<14}{''.join(cells)}{int(total[1]):14d}")
    for kind, row in kinds.items():
        cells = [f"{f1(*counts):11.3f}" for counts in row.values()]
        lines.append(f"{kind:14}{''.join(cells)}{int(next(iter(row.values()))[1]):14d}")
    return "\n".join(lines)


def candidates_of(clip: Clip, folder: Path, count: int, fps: float) -> Iterator[tuple[str, Frames]]:
    """The other trackers' frames from the files that the reference wrote."""
    for name in OTHERS:
        yield name, their_tracks(clip, np.loadtxt(folder / f"{name}.txt", delimiter=",", ndmin=2), count, fps)


def clip_bench(shared: Path, python: Path, seeds: int) -> str:
    """The comparison on PETS09-S2L1."""
    clip = CLIPS[0]
    detector = PersonDetector(shared / "weights/yolox_nano.onnx", score=0.1, nms=0.45)
    detections = tracking_bench.detect(clip, shared, detector, every=1)
    gt = tracking_bench.ground_truth(shared / clip.gt, every=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / clip.name
        tracking_bench.write_clip(folder, gt, detections, gt)  # the reference wants a file of ours: the truth will do
        subprocess.run([str(python), str(REFERENCE), name], check=True, stdout=subprocess.DEVNULL)
        others = dict(candidates_of(clip, folder, len(detections), clip.fps))
    truth = their_tracks(clip, gt, len(detections), clip.fps)
    return clip_table(truth, {"Vedette": our_tracks(clip, detections, clip.fps)} | others, seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    made_up = parts.add_parser("worlds", help="random scenes for every kind of rule")
    made_up.add_argument("--scenes", type=int, default=300, help="scenes of each kind at each rate")
    real = parts.add_parser("clip", help="real tracks against ground truth")
    real.add_argument("--shared", type=Path, required=True, help="folder with videos/, tracking/ and weights/")
    real.add_argument("--trackers-python", type=Path, required=True, help="Python that has trackers==2.6.1")
    real.add_argument("--seeds", type=int, default=5, help="sets of 20 zones and lines")
    options = parser.parse_args()
    if options.part == "worlds":
        print(worlds(options.scenes))
    else:
        print(clip_bench(options.shared, options.trackers_python, options.seeds))


if __name__ == "__main__":
    main()
