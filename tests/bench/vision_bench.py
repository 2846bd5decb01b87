"""What the detector costs on one thread beside a bare loop of `cv2.imdecode` and `session.run` on the same JPEGs.

    python -m tests.bench.vision_bench --shared DIR [--manifest FILE] [--rounds 100] [--json OUT]

DIR holds the clips and YOLOX-nano (`data/videos`, `data/weights`); without --manifest that is the model. The bare loop
decodes the whole picture and runs the model on an input that was made beforehand: no resizing, no conversion, no boxes.
Times are CPU times of the thread, which does all the work itself, so that other programs count little; ours and the
bare loop take turns, and what counts is the median of the turns' ratios.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from prometheus_client import CollectorRegistry

from contracts.manifest import ModelManifest, load_manifest
from contracts.metrics import Metrics
from stream.vision import BatchConfig, Batcher, Detector, ModelSlot, SessionOptions
from stream.vision.detector import detections
from stream.vision.heads import Labels as HeadLabels
from stream.vision.heads import head_of
from stream.vision.image import Size, decode, fit, letterbox
from tests.builders import jpeg_of, yolox_manifest

PICTURES = {"640x480": (640, 480), "1080p": (1920, 1080)}
CLIPS = {"640x480": "vtest_480x360.mp4", "1080p": "opera_crowd_faces.mp4"}
LIMIT = 1.10
"""What decoding, letterbox, boxes and messages may cost beside the bare loop."""


def milliseconds(work: Callable[[], object]) -> float:
    """One call's CPU time."""
    started = time.thread_time()
    work()
    return 1000 * (time.thread_time() - started)


def typical(work: Callable[[], object], rounds: int) -> float:
    """The median of some calls' times, ms."""
    work()
    return statistics.median(milliseconds(work) for _ in range(rounds))


def picture_of(shared: Path, name: str) -> bytes:
    """A JPEG of this size out of the clip that fits it."""
    clip = cv2.VideoCapture(str(shared / "data" / "videos" / CLIPS[name]))
    taken, image = clip.read()
    assert taken, CLIPS[name]
    return jpeg_of(cv2.resize(image, PICTURES[name]), 85)


def bare_of(manifest: ModelManifest, folder: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """The model as anyone would open it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(folder / manifest.file, options, providers=["CPUExecutionProvider"])


def detector_of(manifest: ModelManifest, folder: Path, threads: int = 1) -> tuple[ModelSlot, Batcher]:
    """A slot with the model in it, and the batcher, on the CPU."""
    metrics = Metrics(CollectorRegistry())
    slot = ModelSlot(SessionOptions(device="cpu", intra_op_threads=threads), metrics)
    slot.swap(manifest, folder)
    return slot, Batcher(BatchConfig(), metrics)


def stages(jpeg: bytes, picture: Size, slot: ModelSlot, batcher: Batcher, rounds: int) -> dict[str, float]:
    """The time of each stage of `Detector.detect`, ms."""
    session = slot.get()
    size = fit(picture, session.input_size)
    pad = session.manifest.input.letterbox
    image = decode(jpeg, target=size, picture=picture)
    canvas = letterbox(image, size, session.input_size, pad)
    outputs = batcher.infer(session, canvas)
    boxes = session.read(outputs)
    return {
        "decode": typical(lambda: decode(jpeg, target=size, picture=picture), rounds),
        "letterbox": typical(lambda: letterbox(image, size, session.input_size, pad), rounds),
        "inference": typical(lambda: batcher.infer(session, canvas), rounds),
        "read boxes": typical(lambda: session.read(outputs), rounds),
        "messages": typical(lambda: detections(boxes, session.label_names, size, picture), rounds),
    }


def against_bare(
    jpeg: bytes, picture: Size, manifest: ModelManifest, folder: Path, slot: ModelSlot, batcher: Batcher, rounds: int
) -> dict[str, float]:
    """Whole frames against the bare loop, in turns: ms and the ratio."""
    detector, bare = Detector(slot, batcher), bare_of(manifest, folder)
    session = slot.get()
    size = fit(picture, session.input_size)
    canvas = letterbox(decode(jpeg, target=size), size, session.input_size, manifest.input.letterbox)
    ready = {manifest.input.name: head_of(manifest, HeadLabels(manifest)).feed([canvas])}

    def bare_loop() -> None:
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        bare.run(None, ready)

    turns = [(milliseconds(lambda: detector.detect(jpeg, *picture)), milliseconds(bare_loop)) for _ in range(rounds)][
        3:
    ]
    return {
        "ours": statistics.median(ours for ours, _ in turns),
        "bare": statistics.median(bare_ms for _, bare_ms in turns),
        "ratio": statistics.median(ours / bare_ms for ours, bare_ms in turns),
    }


def throughput(
    jpeg: bytes, picture: Size, manifest: ModelManifest, folder: Path, frames: int
) -> dict[str, tuple[float, float]]:
    """Frames a second and CPU ms a frame on all cores: threads that share a one-thread session, or one with more."""
    cores = len(os.sched_getaffinity(0))
    rates = {}
    for name, subtasks, threads in ((f"{cores} subtasks x 1", cores, 1), (f"1 subtask x {cores}", 1, cores)):
        detector = Detector(*detector_of(manifest, folder, threads))
        with ThreadPoolExecutor(subtasks) as pool:
            list(pool.map(lambda _, seen=detector: seen.detect(jpeg, *picture), range(4)))
            started, used = time.perf_counter(), time.process_time()
            list(pool.map(lambda _, seen=detector: seen.detect(jpeg, *picture), range(frames)))
            used_ms = 1000 * (time.process_time() - used) / frames
            rates[name] = (frames / (time.perf_counter() - started), used_ms)
    return rates


def main() -> int:
    """Measure, print, and say by the exit code whether the overhead is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.manifest:
        manifest, folder = load_manifest(arguments.manifest), arguments.manifest.parent
    else:
        manifest, folder = yolox_manifest(arguments.shared)
    slot, batcher = detector_of(manifest, folder)
    results: dict[str, dict[str, float]] = {}
    for name, picture in PICTURES.items():
        jpeg = picture_of(arguments.shared, name)
        results[name] = stages(jpeg, picture, slot, batcher, arguments.rounds)
        results[name] |= against_bare(jpeg, picture, manifest, folder, slot, batcher, arguments.rounds)
    rates = throughput(picture_of(arguments.shared, "640x480"), PICTURES["640x480"], manifest, folder, arguments.rounds)
    print(f"{manifest.id}, CPU ms a frame on one thread (ratio: ours against the bare loop, limit {LIMIT})")
    print(f"{'':12}" + "".join(f"{name:>12}" for name in results))
    for stage in next(iter(results.values())):
        print(f"{stage:12}" + "".join(f"{result[stage]:12.3f}" for result in results.values()))
    for name, (rate, used_ms) in rates.items():
        print(f"{name}: {rate:.1f} frames/s, {used_ms:.1f} ms of CPU a frame")
    if arguments.json:
        arguments.json.write_text(json.dumps({"model": manifest.id, "pictures": results, "frames_per_s": rates}))
    return 0 if all(result["ratio"] <= LIMIT for result in results.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
