"""The whole system, real broker and real jobs: latency, memory, the same detections as the bare model, a second start.

    python -m tests.bench system [--shared DIR] [--only latency memory ...] [--seconds 60]

The model is the bundled detector. The clip is one of DIR (`data/videos`), or where that is missing the demo's: the same
scene in 768x576 instead of 480x360, which costs more to decode.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from bus.reader import Reader
from contracts import metrics as names
from contracts import topics
from contracts.codec import decode
from contracts.config_file import load
from contracts.manifest import load_manifest
from contracts.messages import Alert, Frame, FrameDetections
from contracts.metrics import Metrics
from stream.vision import BatchConfig, Batcher, Detector, ModelSlot, SessionOptions
from tests.bench.report import Row, at_most
from tests.bench.saturation import saturation
from tests.bench.site import (
    PATIENCE_S,
    Line,
    Up,
    busy_config,
    demo_config,
    messages,
    model_name,
    pss_mib,
)
from vedette.local import BUNDLED, LocalOptions, LocalSystem

WARM_UP_S = 20.0
"""The JVM compiles what is hot in its first thousands of frames."""
Say = Callable[[str], None]


@contextlib.contextmanager
def bench_folder() -> Iterator[Path]:
    """A folder that goes with the bench."""
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        yield Path(name)


def latency(clip: Path, seconds: float, say: Say) -> list[Row]:
    """Capture → alert of two cameras at 10 frames/s, by the histograms and by a consumer's own clock."""
    with bench_folder() as folder, Up(busy_config(clip, BUNDLED), folder) as up:
        up.lines_until("running;")
        watch = AlertWatch(up.bootstrap)
        up.lines_until(".jpg")
        time.sleep(WARM_UP_S)
        watch.wait_until_current()
        edge, stream, seen = up.scrape("edge"), up.scrape("stream"), len(watch.seconds)
        time.sleep(seconds)
        edge_now, stream_now = up.scrape("edge"), up.scrape("stream")
        own = watch.seconds[seen:]
        say(f"model {model_name(BUNDLED)}, {seconds:g} s")
        for metric, now, before in (
            (names.CAPTURE_TO_BROKER, edge_now, edge),
            (names.CAPTURE_TO_DETECT, stream_now, stream),
            (names.DETECT, stream_now, stream),
            (names.INFERENCE, stream_now, stream),
            (names.DECIDE, stream_now, stream),
        ):
            count, (p50, p95) = now.quantiles(metric, (0.5, 0.95), before)
            say(f"  {metric.name}: p50 {1000 * p50:.1f} ms, p95 {1000 * p95:.1f} ms of {count}")
        count, (p50, p95) = stream_now.quantiles(names.CAPTURE_TO_ALERT, (0.5, 0.95), stream)
        own_p50, own_p95 = statistics.median(own), statistics.quantiles(own, n=20)[18]
        return [
            at_most("latency", f"histogram p50 of {count} alerts", 1000 * p50, 60, " ms", 0),
            at_most("latency", f"histogram p95 of {count} alerts", 1000 * p95, 120, " ms", 0),
            at_most("latency", f"consumer's clock p50 of {len(own)} alerts", 1000 * own_p50, 60, " ms", 0),
            at_most("latency", f"consumer's clock p95 of {len(own)} alerts", 1000 * own_p95, 120, " ms", 0),
        ]


class AlertWatch:
    """Somebody who waits for alerts: how long after its frame's shutter each new one came, s."""

    def __init__(self, bootstrap: str) -> None:
        self.seconds: list[float] = []
        self._bootstrap = bootstrap
        threading.Thread(target=self._run, daemon=True).start()

    def wait_until_current(self) -> None:
        """Until the frames that were sent before the jobs ran are worked off: ten alerts within a second each."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.seconds) < 10 or max(self.seconds[-10:]) > 1.0:
            assert time.monotonic() < deadline, f"alerts are still {self.seconds[-10:]} s late"
            time.sleep(1.0)

    def _run(self) -> None:
        reader = Reader(self._bootstrap, topics.ALERTS, "end")
        while True:
            records = reader.read(1.0)
            now_ms = time.time_ns() / 1e6
            for record in records:
                alert = decode(record.value or b"", Alert)
                if alert.state == "new" and alert.evidence is not None:
                    self.seconds.append((now_ms - alert.at_ms) / 1000)


def memory(clip: Path, seconds: float, say: Say) -> list[Row]:
    """Proportional memory of the whole system while two cameras run, a minute after its first alert."""
    with bench_folder() as folder, Up(demo_config(clip, BUNDLED), folder) as up:
        up.lines_until(".jpg")
        time.sleep(seconds)
        parts = pss_mib(up.process.pid)
        say("  " + ", ".join(f"{part} {size:.0f}" for part, size in sorted(parts.items())) + " MiB")
        return [at_most("memory", "PSS of the whole system, 2 cameras", sum(parts.values()) / 1024, 2.0, " GiB")]


def identical(clip: Path, _seconds: float, say: Say) -> list[Row]:
    """The detections of a replayed clip against the model beside the system, on the JPEGs that are in the topic."""
    with bench_folder() as folder:
        frames, found = replayed(folder, clip, BUNDLED)
        slot = ModelSlot(SessionOptions(device="cpu"), metrics := Metrics(CollectorRegistry()))
        slot.swap(load_manifest(BUNDLED), BUNDLED.parent)
        bare = Detector(slot, Batcher(BatchConfig(), metrics))
        same = sum(
            found[index].detections == bare.detect(frame.jpeg, frame.width, frame.height, detail=frame.detail)[0]
            for index, frame in frames.items()
        )
        boxes = sum(len(one.detections) for one in found.values())
        say(f"  {len(frames)} frames, {boxes} boxes")
        what = "frames whose detections are those of the bare model"
        return [Row("identical", what, f"{same} of {len(frames)}", "all", same == len(frames) == len(found) > 0)]


def replayed(folder: Path, clip: Path, manifest: Path) -> tuple[dict[int, Frame], dict[int, FrameDetections]]:
    """What a replay of the clip left in the topics `frames` and `detections`, by index."""
    config = {
        "site": {"name": "bench"},
        "kafka": {"port": None, "partitions": 1},
        "stream": {"model": str(manifest), "metrics_port": 0},
        "cameras": {"gate": {"inputs": [{"url": str(clip), "pace": "fast"}]}},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    agent = ("--replay-start-ms", "1767225600000", "--every-frame", "--session", "1", "--metrics-port", "0")
    options = LocalOptions(("jobs", "agent"), keep_forever=True, agent_arguments=agent)
    system = LocalSystem(load(file), file, folder / "state", options)
    try:
        system.start()
        deadline = time.monotonic() + PATIENCE_S
        found: dict[int, FrameDetections] = {}
        while not any(one.last for one in found.values()):
            assert time.monotonic() < deadline, f"{len(found)} frames were through after {PATIENCE_S:g} s"
            time.sleep(1.0)
            system.check()
            found = {one.index: one for one in messages(system.bootstrap, topics.DETECTIONS, FrameDetections)}
        frames = {one.index: one for one in messages(system.bootstrap, topics.frames("bench"), Frame)}
    finally:
        system.stop()
    return frames, found


def start(clip: Path, _seconds: float, say: Say) -> list[Row]:
    """From `vedette up` to the first alert of a picture that was taken since, the second time: with a checkpoint.

    What the terminal shows first may be older: an alert of the pictures that the checkpoint had not seen yet.
    """
    with bench_folder() as folder:
        config = demo_config(clip, BUNDLED)
        with Up(config, folder) as first:
            first_s = first.lines_until(".jpg")[-1].at_s
            time.sleep(FIRST_RUN_S)
        with Up(config, folder) as second:
            lines = second.lines_until(".jpg")
            stages = start_stages(second, lines)
        said = ", ".join(f"{name} {at_s:.1f}" for name, at_s in sorted(stages.items(), key=lambda stage: stage[1]))
        say(f"  the first time {first_s:.1f} s; the second: {said}")
        return [at_most("start", "`vedette up` to the first alert, second time", stages[FRESH], 20, " s", 1)]


FRESH = "first alert of a new picture"
FIRST_RUN_S = 45.0
"""A first look at the demo takes so long at least; meanwhile the class archives of the next start are made."""


def start_stages(up: Up, lines: list[Line]) -> dict[str, float]:
    """When what was there, s after the command: by its lines and by the topics."""
    site = up.config["site"]["name"]

    def since(times_ms: Iterable[int]) -> float:
        return (min((at_ms for at_ms in times_ms if at_ms >= up.started_ms), default=0) - up.started_ms) / 1000

    deadline = time.monotonic() + PATIENCE_S
    while not (fresh := [one for one in messages(up.bootstrap, topics.ALERTS, Alert) if one.at_ms > up.started_ms]):
        assert time.monotonic() < deadline, f"no new alert within {PATIENCE_S:g} s"
        time.sleep(0.5)
    said = {line.text.split(":")[0].split(";")[0]: line.at_s for line in lines[:6] if "  " not in line.text}
    return said | {
        "first frame": since(frame.captured_at_ms for frame in messages(up.bootstrap, topics.frames(site), Frame)),
        "first detections": since(
            one.detected_at_ms for one in messages(up.bootstrap, topics.DETECTIONS, FrameDetections)
        ),
        "first alert in the terminal": lines[-1].at_s,
        FRESH: since(one.decided_at_ms for one in fresh),
    }


BENCHES: dict[str, Callable[[Path, float, Say], list[Row]]] = {
    "latency": latency,
    "saturation": lambda clip, _seconds, say: _saturation(clip, say),
    "memory": memory,
    "identical": identical,
    "start": start,
}


def _saturation(clip: Path, say: Say) -> list[Row]:
    with bench_folder() as folder:
        return saturation(folder, clip, BUNDLED, say)
