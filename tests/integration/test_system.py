"""The command as a user runs it: the whole system up, an alert with its picture, Ctrl-C, and on from there; replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import cv2
import msgspec
import numpy as np
import psutil
import pytest
import yaml

from contracts.trace import Stage
from tests.builders import DATA, manifest_of
from tests.edge_tools import write_clip
from tests.otlp import Received as Span
from tests.otlp import spans_of
from tests.receivers import HttpReceiver, http_receiver
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

PATIENCE_S = 240.0
"""The first start under a loaded machine; a calm one takes a tenth."""


def picture(index: int) -> np.ndarray:
    """640x480: a red square (a person, for the tests' model) goes down on the left for 2.5 s of every 8 s.

    What stands still and comes again at its place would be the same thing, which alerts once.
    """
    noise = np.random.default_rng(index).integers(0, 40, (480, 640, 3), dtype=np.uint8)
    if index % 80 < 25:
        top = 8 * (index % 80)
        noise[top : top + 160, 0:160] = (0, 0, 250)
    return noise


CONFIG = {
    "site": {"name": "site"},
    "kafka": {"port": None, "heap_mb": 256},
    "edge": {"metrics_port": 0, "traced_share": 1.0},
    "stream": {"model": "manifest.json", "metrics_port": 0},
    "console": {
        "port": 0,
        "notifications": {
            "channels": {"hook": {"kind": "webhook", "url": "HOOK_URL/hook", "secret": "{HOOK}"}},
            "routes": [{"channels": ["hook"], "group_s": 0, "cooldown_s": 0}],
        },
    },
    # A square that comes every 8 s is background to the gate after a while: every frame is sent instead.
    "motion": {"enabled": False},
    "cameras": {
        "gate": {
            "inputs": [{"url": "clip.avi", "loop": True}],
            "zones": {"left": {"coordinates": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "inertia_s": 0.2}},
        },
    },
    "rules": {"entry": {"kind": "zone_entry", "zone": "left", "cooldown_s": 1}},
}


STAGES = set(get_args(Stage))


@pytest.fixture(scope="module")
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, receiver: HttpReceiver) -> Path:
    """A config with the tiny model and a clip of 16 s."""
    folder = tmp_path_factory.mktemp("system")
    write_clip(folder / "clip.avi", 160, picture=picture)
    manifest = manifest_of(DATA / "bright_boxes.onnx", label_map={"red": "person"})
    (folder / manifest.file).write_bytes((DATA / manifest.file).read_bytes())
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    config = json.loads(json.dumps(CONFIG).replace("HOOK_URL", receiver.url))
    config["cameras"]["gate"]["inputs"][0]["url"] = str(folder / "clip.avi")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


class Running:
    """`vedette up` as a child, its lines, and all its descendants."""

    def __init__(self, folder: Path, **environment: str) -> None:
        command = [
            sys.executable,
            "-m",
            "vedette",
            "up",
            "--config",
            str(folder / "config.yaml"),
            "--state",
            str(folder / "state"),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment
        )
        self.started_s = time.monotonic()

    def lines_until(self, wanted: str) -> Iterator[str]:
        """Its lines up to one that holds `wanted`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line
            if wanted in line:
                return
            assert time.monotonic() - self.started_s < PATIENCE_S, f"no {wanted!r} within {PATIENCE_S} s"
        raise AssertionError(f"ended with {self.process.wait()} before {wanted!r}")

    def end(self) -> float:
        """Ctrl-C; returns how long it took until nothing was left, s."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        assert len(family) >= 5, family  # broker, agent, evidence, jobs and their JVM
        began = time.monotonic()
        os.kill(self.process.pid, signal.SIGINT)
        assert self.process.wait(timeout=30) == 0
        took_s = time.monotonic() - began
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
        return took_s


def test_up_alerts_ends_and_goes_on(folder: Path, receiver: HttpReceiver) -> None:
    """A collector of traces beside it gets one from the shutter to the notification."""
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    for start in ("first", "second"):
        running = Running(folder, HOOK="hook-secret-of-the-test", **collector)
        try:
            lines = list(running.lines_until("snapshot.jpg"))
            snapshot = Path(lines[-1].strip())
            assert cv2.imread(str(snapshot)) is not None
            assert "person entered left" in "".join(lines)
            if start == "first":
                wait_until(lambda: whole_trace(receiver), 60)
                is_whole(whole_trace(receiver))
            took_s = running.end()
            assert took_s <= 10.0, f"{start}: {took_s:.1f} s to end"
        finally:
            if running.process.poll() is None:
                running.end()
        checkpoints = list((folder / "state" / "stream" / "checkpoints").glob("*/chk-*/_metadata"))
        assert checkpoints, f"{start}: no checkpoint was kept"
    log = (folder / "state" / "logs" / "jobs.log").read_text()
    assert log.count("goes on from") == 1, "the second start goes on from the first's checkpoint"


def is_whole(trace: dict[str, Span]) -> None:
    """Fails when its spans don't go on from each other, or not one after the other."""
    names = {span.id: name for name, span in trace.items()}
    parents = {name: names.get(span.parent, "") for name, span in trace.items()}
    assert parents == {
        "capture": "", "publish": "capture", "detect": "capture", "inference": "detect", "decide": "detect",
        "alert": "decide", "store": "alert", "notify": "store",
    }  # fmt: skip
    begun = [trace[name].begun_ms for name in ("capture", "detect", "decide", "alert", "store")]
    assert begun == sorted(begun)
    assert trace["notify"].ended_ms >= trace["store"].begun_ms
    assert trace["notify"].attributes["vedette.channel"] == "hook"
    assert {span.service for span in trace.values()} == {"vedette-agent", "vedette-stream", "vedette-console"}


def whole_trace(receiver: HttpReceiver) -> dict[str, Span]:
    """The spans by their name of the first trace that has all of them; {} when there is none."""
    traces: dict[str, dict[str, Span]] = {}
    for span in spans_of(receiver):
        traces.setdefault(span.trace, {})[span.name] = span
    return next((found for found in traces.values() if set(found) >= STAGES), {})


def test_two_replays_are_the_same(folder: Path, tmp_path: Path) -> None:
    outputs = []
    for run in ("one", "two"):
        out = tmp_path / run
        command = [
            *(sys.executable, "-m", "vedette", "replay", f"gate={folder / 'clip.avi'}"),
            *("--config", str(folder / "config.yaml"), "--alerts", str(out / "alerts.jsonl")),
            *("--mot", str(out / "mot.txt"), "--detections", str(out / "detections.jsonl")),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
        assert "160 of 160 frames" in done.stderr
        outputs.append(
            (
                _without(out / "alerts.jsonl", "decided_at_ms"),
                _without(out / "detections.jsonl", "detected_at_ms"),
                (out / "mot.txt").read_bytes(),
            )
        )
    assert outputs[0] == outputs[1]
    alerts, detections, mot = outputs[0]
    assert [alert["data"]["state"] for alert in alerts].count("new") == 2
    assert len(detections) == 160
    assert mot.startswith(b"2,1,") or mot.startswith(b"1,1,")


def _without(path: Path, processing_time: str) -> list[dict]:
    """The JSON lines without the time at which they were made."""
    messages = [json.loads(line) for line in path.read_text().splitlines()]
    for message in messages:
        message.get("data", message).pop(processing_time)
    return messages
