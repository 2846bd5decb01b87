"""Frames a second of the detect job when the topic is full, against the bare decode + inference loop.

The job and the loop take turns of some seconds: while one runs the other is stopped (SIGSTOP), so that what else the
machine does meets both alike; what counts is the median of the turns' ratios. The bare loop is what anyone would write:
`cv2.imdecode`, resize into the model's input, `session.run`, nothing with the boxes; one process for each subtask.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
import yaml

from bus.lookup import Lookup
from contracts import topics
from contracts.codec import encode
from contracts.config_file import load
from contracts.manifest import load_manifest
from contracts.messages import Frame
from tests.bench.report import Row, at_least, at_most
from tests.bench.site import PATIENCE_S, part_of
from tests.builders import jpeg_of
from tests.kafka_tools import Writer
from vedette.local import LocalOptions, LocalSystem

DISTINCT = 400
COUNT = 7_000
"""Frames in the topic: 100 s at 70 a second, 330 MB."""
WARM_UP_FRAMES = 1_500
"""The JVM compiles its way through the first of them."""
TURN_S = 2.0
TURNS = 15


def saturation(folder: Path, clip: Path, manifest: Path, say: Callable[[str], None]) -> list[Row]:
    """The rows for one and for two subtasks."""
    jpegs = pictures(clip, folder)
    rows: list[Row] = []
    with broker(folder, manifest) as bootstrap:
        preload(bootstrap, jpegs)
        for parallelism, least in ((1, 0.90), (2, 0.70)):
            turns = against_bare(folder, bootstrap, manifest, parallelism)
            for job, bare in turns:
                say(
                    f"  parallelism {parallelism}: job {job.fps:.1f} frames/s, {job.cpu_ms:.1f} CPU ms a frame; "
                    f"bare {bare.fps:.1f}, {bare.cpu_ms:.1f}"
                )
            ratio = statistics.median(job.fps / bare.fps for job, bare in turns)
            cost = statistics.median(job.cpu_ms / bare.cpu_ms for job, bare in turns)
            rates = f"{statistics.median(job.fps for job, _ in turns):.0f} of "
            rates += f"{statistics.median(bare.fps for _, bare in turns):.0f} frames/s"
            rows.append(at_least("saturation", f"parallelism {parallelism} against bare ({rates})", ratio, least))
            if parallelism == 1:
                rows.append(at_most("saturation", "CPU a frame of Flink's process against bare", cost, 1.15))
            else:
                say(f"  CPU a frame at parallelism 2: {cost:.2f} times the bare loop's")
    return rows


@dataclass(frozen=True)
class Turn:
    """What was done in one turn: frames a second, and CPU ms of one frame."""

    fps: float
    cpu_ms: float


def pictures(clip: Path, folder: Path) -> list[bytes]:
    """The clip's first pictures as 640x480 JPEGs; also in `folder`, for the bare loop."""
    capture = cv2.VideoCapture(str(clip))
    jpegs = []
    for index in range(DISTINCT):
        there, picture = capture.read()
        assert there, f"{clip}: fewer than {DISTINCT} pictures"
        jpegs.append(jpeg_of(cv2.resize(picture, (640, 480)), 85))
        (folder / f"{index:03d}.jpg").write_bytes(jpegs[-1])
    return jpegs


@contextlib.contextmanager
def broker(folder: Path, manifest: Path) -> Iterator[str]:
    """The broker alone."""
    system = site(folder, manifest, "broker", LocalOptions((), keep_forever=True))
    try:
        system.start()
        yield system.bootstrap
    finally:
        system.stop()


def site(
    folder: Path, manifest: Path, name: str, options: LocalOptions, bootstrap: str = "", parallelism: int = 1
) -> LocalSystem:
    """The local system with only the parts that `options` name, with a state folder of its own."""
    config = {
        "site": {"name": "bench"},
        "kafka": {"bootstrap_servers": [bootstrap]} if bootstrap else {"port": None},
        "stream": {"model": str(manifest), "metrics_port": 0, "parallelism": parallelism},
        "cameras": {camera: {"inputs": [{"url": "unused.mp4"}]} for camera in ("gate", "yard")},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config))
    return LocalSystem(load(file), file, folder / name, options)


def preload(bootstrap: str, jpegs: list[bytes]) -> None:
    """Fill the frames topic, the two cameras by turns."""
    writer = Writer(bootstrap)
    digests = [hashlib.sha256(jpeg).hexdigest() for jpeg in jpegs]
    for place in range(COUNT):
        index, slot = divmod(place, 2)
        camera, which = ("gate", "yard")[slot], place % DISTINCT
        frame = Frame(
            site="bench",
            camera=camera,
            session=1,
            index=index,
            captured_at_ms=1_767_225_600_000 + 100 * index,
            width=640,
            height=480,
            detail=False,
            motion=0.1,
            sha256=digests[which],
            jpeg=jpegs[which],
        )
        writer.send(topics.frames("bench"), encode(frame), camera, slot)
    writer.flush()


def against_bare(folder: Path, bootstrap: str, manifest: Path, parallelism: int) -> list[tuple[Turn, Turn]]:
    """Turns of the job and of as many bare loops."""
    options = LocalOptions(("jobs",), keep_forever=True, jobs_arguments=("--jobs", "detect"))
    system = site(folder, manifest, f"jobs-{parallelism}", options, bootstrap, parallelism)
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(BareLoop(folder, manifest)) for _ in range(parallelism)]
        through = stack.enter_context(contextlib.closing(Through(bootstrap)))
        stack.callback(system.stop)
        system.start()
        wait(lambda: through.count() >= WARM_UP_FRAMES)
        job = Job(system)
        turns = []
        for _ in range(TURNS):
            turns.append((job.turn(through), bare_turn(loops)))
        assert through.count() < COUNT, "the topic ran empty: the last turns measured nothing"
        job.resume()
    return turns


class Through:
    """How many frames are through: what was added to `detections` since it was made."""

    def __init__(self, bootstrap: str) -> None:
        self._lookup = Lookup(bootstrap)
        self._partitions = self._lookup.partitions(topics.DETECTIONS)
        self._before = 0
        self._before = self.count()

    def count(self) -> int:
        ends = (self._lookup.bounds(topics.DETECTIONS, number)[1] for number in self._partitions)
        return sum(ends) - self._before

    def close(self) -> None:
        self._lookup.close()


class Job:
    """The jobs' processes, stopped but for their turns."""

    def __init__(self, system: LocalSystem) -> None:
        child = system.child("jobs").process
        assert child is not None
        self._family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        (self._jvm,) = (process for process in self._family if part_of(process) == "jobs, JVM")
        self._signal(signal.SIGSTOP)

    def turn(self, through: Through) -> Turn:
        """Let the job run for its turn; the first moment is not counted."""
        self.resume()
        time.sleep(0.3)
        count, cpu_s, began_s = through.count(), cpu_of(self._jvm), time.monotonic()
        time.sleep(TURN_S)
        count, cpu_s, took_s = through.count() - count, cpu_of(self._jvm) - cpu_s, time.monotonic() - began_s
        self._signal(signal.SIGSTOP)
        return Turn(count / took_s, 1000 * cpu_s / count)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._family:
            process.send_signal(number)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of all threads of a process."""
    times = process.cpu_times()
    return times.user + times.system


class BareLoop:
    """`bare_loop` in a process of its own, which runs for a turn when it is told to."""

    def __init__(self, folder: Path, manifest: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.saturation", str(folder), str(manifest)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.begin(1.0)
        self.end()

    def __enter__(self) -> BareLoop:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, seconds: float) -> None:
        """Start a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def end(self) -> Turn:
        """Wait for the turn's end."""
        assert self._process.stdout is not None
        fps, cpu_ms = self._process.stdout.readline().split()
        return Turn(float(fps), float(cpu_ms))


def bare_turn(loops: list[BareLoop]) -> Turn:
    """One turn of all loops at once."""
    for loop in loops:
        loop.begin(TURN_S)
    turns = [loop.end() for loop in loops]
    return Turn(sum(turn.fps for turn in turns), statistics.mean(turn.cpu_ms for turn in turns))


def bare_loop(jpegs: list[bytes], manifest_file: Path) -> Iterator[None]:
    """Decode and run picture after picture, for ever."""
    import onnxruntime

    cv2.setNumThreads(1)
    manifest = load_manifest(manifest_file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        manifest_file.parent / manifest.file, options, providers=["CPUExecutionProvider"]
    )
    wide, high = manifest.input.width, manifest.input.height
    scale = min(wide / 640, high / 480)
    width, height = round(640 * scale), round(480 * scale)
    canvas = np.full((high, wide, 3), manifest.input.letterbox, np.uint8)
    while True:
        for jpeg in jpegs:
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            canvas[:height, :width] = cv2.resize(picture, (width, height))
            ready = canvas.transpose(2, 0, 1)[None].astype(np.float32) if manifest.layout == "yolox" else canvas[None]
            session.run(None, {manifest.input.name: ready})
            yield


def serve_bare_loop(folder: Path, manifest: Path) -> None:
    """For each line on stdin, which says how many seconds: run, and print frames/s and CPU ms a frame."""
    frames = bare_loop([file.read_bytes() for file in sorted(folder.glob("???.jpg"))], manifest)
    for line in sys.stdin:
        began_s, cpu_s, count = time.monotonic(), time.process_time(), 0
        while time.monotonic() - began_s < float(line):
            next(frames)
            count += 1
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        print(count / took_s, 1000 * cpu_s / count, flush=True)


def wait(true: Callable[[], bool]) -> None:
    """Until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s"
        time.sleep(0.2)


if __name__ == "__main__":
    serve_bare_loop(Path(sys.argv[1]), Path(sys.argv[2]))
