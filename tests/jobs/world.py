"""A real broker and the real jobs of one small site, fed with frames whose boxes are known."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec
import psutil
import yaml

from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.config_file import load
from contracts.controls import Control, key
from contracts.errors import ContractError
from contracts.messages import Frame, FrameDetections, Message
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.jobs.progress import progress
from tests.kafka_tools import BY_KEY, Writer
from vedette.local import LocalOptions, LocalSystem

M = TypeVar("M", bound=Message)

T0_MS = 1_767_225_600_000
WIDTH, HEIGHT = 640, 480
CELL_W, CELL_H = WIDTH // 4, HEIGHT // 3  # the model's 16x16 cells of 64x48 pixels of picture
RED = (0, 0, 250)
LABELS = {"red": "person", "green": "car", "blue": "bag"}

CONFIG = {
    "site": {"name": "site"},
    "kafka": {"port": None, "partitions": 2, "heap_mb": 256},
    "stream": {
        "model": "manifest.json",
        "metrics_port": 0,
        "checkpoint_interval_s": 0.5,
        "drift": {"tracks": 2, "apart_s": 0},
    },
    "analytics": {"window_s": 10, "lateness_s": 2},
    "cameras": {
        name: {
            "inputs": [{"url": "unused.mp4"}],
            "zones": {"left": {"coordinates": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "inertia_s": 0.2}},
            "objects": {"track": ["person"]},
        }
        for name in ("gate", "yard")
    },
    "rules": {"entry": {"kind": "zone_entry", "zone": "left", "labels": ["person"], "cooldown_s": 1}},
}


class SiteUnderTest:
    """The local system without agent and evidence, unless `parts` has them: the test is the agent."""

    def __init__(
        self, folder: Path, config: Mapping[str, object] = MappingProxyType(CONFIG), parts: tuple[str, ...] = ("jobs",)
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = manifest_of(DATA / "bright_boxes.onnx", label_map=LABELS)
        (folder / manifest.file).write_bytes((DATA / manifest.file).read_bytes())
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump(dict(config)))
        self.folder = folder
        self.manifest = manifest
        options = LocalOptions(parts, keep_forever=True)
        self.system = LocalSystem(load(file), file, folder / "state", options)

    def __enter__(self) -> SiteUnderTest:
        self.system.start()
        self.producer = Writer(self.system.bootstrap)
        return self

    def __exit__(self, *_: object) -> None:
        self.system.stop()

    def send(self, frames: Sequence[Frame], lane: str = "live") -> None:
        topic = topics.frames("site") if lane == "live" else topics.frames_late("site")
        for frame in frames:
            self.send_raw(topic, frame.camera.encode(), encode(frame), partition=int(frame.camera == "yard"))
        self.producer.flush()

    def send_detections(self, frames: Iterable[FrameDetections]) -> None:
        """As the detect job writes them."""
        for frame in frames:
            self.send_raw(topics.DETECTIONS, frame.camera.encode(), encode(frame))
        self.producer.flush()

    def send_raw(self, topic: str, record_key: bytes | None, value: bytes | None, partition: int | None = None) -> None:
        self.producer.send(topic, value, record_key, BY_KEY if partition is None else partition)

    def control(self, control: Control) -> None:
        self.send_raw(topics.CONTROLS, key(control.change).encode(), encode(control))
        self.producer.flush()

    def messages(self, topic: str, kind: type[M]) -> list[M]:
        """All that the topic holds now; what is no such message is left out."""
        found = []
        for record in self.records(topic):
            with contextlib.suppress(ContractError):
                found.append(decode(record.value or b"", kind))
        return found

    def records(self, topic: str) -> Iterator:
        with Reader(self.system.bootstrap, topic) as reader:
            yield from reader.held()

    def wait(self, what: str, true: Callable[[], bool], timeout_s: float = 240.0) -> None:
        """Look after the system until `true`; fails with the jobs' log and how far they have come."""
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s\n{self.log()}\n{self.progress()}"
            self.system.check()
            time.sleep(0.3)

    def kill_flink(self) -> None:
        """kill -9 of the jobs' process and of its JVM, as a power cut would."""
        child = self.system.child("jobs").process
        assert child is not None
        for process in [*psutil.Process(child.pid).children(recursive=True), psutil.Process(child.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def log(self) -> str:
        return (self.system.state_dir / "logs" / "jobs.log").read_text(errors="replace")[-3000:]

    def progress(self) -> str:
        return progress(self.system.bootstrap, self.system.state_dir / "logs" / "flink.log")


def frame(camera: str, index: int, cells: Sequence[tuple[int, int]] = (), **changes: object) -> Frame:
    """A frame at 10/s with a person in each of the cells (column 0-3, row 0-2)."""
    picture = solid(WIDTH, HEIGHT)
    for column, row in cells:
        picture[row * CELL_H : (row + 1) * CELL_H, column * CELL_W : (column + 1) * CELL_W] = RED
    return frame_of(camera, index, jpeg_of(picture), WIDTH, HEIGHT, **changes)


def frame_of(camera: str, index: int, jpeg: bytes, width: int, height: int, **changes: object) -> Frame:
    """A frame at 10/s with this picture."""
    values = {
        "site": "site",
        "camera": camera,
        "session": 1,
        "index": index,
        "captured_at_ms": T0_MS + 100 * index,
        "width": width,
        "height": height,
        "detail": index % 5 == 0,
        "motion": 0.1,
        "sha256": hashlib.sha256(jpeg).hexdigest(),
        "jpeg": jpeg,
    }
    return Frame(**(values | changes))


def visits(camera: str, count: int, stay: int = 25, pause: int = 55) -> list[Frame]:
    """Somebody stands in the left zone for `stay` frames, is gone for `pause`, and so on; the last frame says so.

    5.5 s are longer than a lost track is waited for (3 s) and the cooldown (1 s): each visit is an alert of its own.
    """
    cells = [[(0, 1)] if index % (stay + pause) < stay else [] for index in range(count)]
    return [frame(camera, index, cells[index], last=index == count - 1) for index in range(count)]


def story(alerts: Sequence) -> list[tuple[str, int, str, int]]:
    """What a run's alerts tell: id, revision, state and time, each once, in order."""
    return sorted({(alert.id, alert.revision, alert.state, alert.at_ms) for alert in alerts})


def plain(value: object) -> object:
    """JSON of a value, for messages of failed assertions."""
    return json.loads(msgspec.json.encode(value))
