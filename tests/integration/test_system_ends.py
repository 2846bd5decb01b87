"""However `vedette up` is ended, and whenever: in order, with no process left; and two never share a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
import yaml

from tests.builders import DATA, manifest_of
from tests.edge_tools import write_clip
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(300)]

PATIENCE_S = 120.0
END_S = 10.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A camera on a clip, and the tiny model."""
    clip = write_clip(tmp_path / "clip.avi", 20)
    manifest = manifest_of(DATA / "bright_boxes.onnx", label_map={"red": "person"})
    (tmp_path / manifest.file).write_bytes((DATA / manifest.file).read_bytes())
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    file = tmp_path / "config.yaml"
    settings = {
        "site": {"name": "site"},
        "kafka": {"port": None, "heap_mb": 256},
        "edge": {"metrics_port": 0},
        "stream": {"model": "manifest.json", "metrics_port": 0},
        "console": {"enabled": False},
        "cameras": {"gate": {"inputs": [{"url": str(clip), "loop": True}]}},
    }
    file.write_text(yaml.safe_dump(settings))
    return file


def up(config: Path) -> subprocess.Popen[str]:
    """`vedette up`, in a session of its own as in a terminal."""
    command = [sys.executable, "-m", "vedette", "up", "--config", str(config), "--state", str(config.parent / "state")]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError("".join(lines))


def left_over(config: Path) -> list[psutil.Process]:
    """The processes that have the state folder in their command: broker, jobs, agent, evidence, the command itself."""
    state = str(config.parent / "state")
    return [one for one in psutil.process_iter(["cmdline"]) if any(state in word for word in one.info["cmdline"] or ())]


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        ("starting Kafka", signal.SIGINT, 130),  # nothing but the broker's JVM is there
        ("starting Flink", signal.SIGTERM, 130),  # broker and jobs both begin
        ("creating topics", signal.SIGHUP, 130),  # the terminal is closed while it starts
        ("running;", signal.SIGHUP, 0),  # the terminal is closed
    ],
)
def test_an_end_leaves_nothing(config: Path, line: str, number: signal.Signals, code: int) -> None:
    process = up(config)
    try:
        read_until(process, line)
        os.kill(process.pid, number)
        began_s = time.monotonic()
        assert process.wait(timeout=60) == code
        assert time.monotonic() - began_s <= END_S
        wait_until(lambda: not left_over(config), 2.0)
    finally:
        _end(process, config)


def test_a_broken_pipe_does_not_end_it_and_its_end_is_in_order(config: Path) -> None:
    """`vedette up | head -1`: nobody reads any more."""
    process = up(config)
    try:
        read_until(process, "starting Kafka")
        assert process.stdout is not None
        process.stdout.close()
        run_file = config.parent / "state" / "run" / "system.json"
        wait_until(run_file.is_file, PATIENCE_S)
        time.sleep(1.0)  # the next lines go nowhere
        assert process.poll() is None
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        wait_until(lambda: not left_over(config), 2.0)
        assert not run_file.exists()
    finally:
        _end(process, config)


def test_a_second_system_on_the_folder_is_refused_and_harms_nothing(config: Path) -> None:
    first = up(config)
    try:
        read_until(first, "running;")
        before = {one.pid for one in left_over(config)}
        second = subprocess.run(first.args, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert "A system already runs on" in second.stderr
        assert "--state" in second.stderr
        assert before <= {one.pid for one in left_over(config)}  # the first may still be starting more
        assert first.poll() is None
    finally:
        _end(first, config)
    assert not left_over(config)


def _end(process: subprocess.Popen[str], config: Path) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=60)
    if process.stdout is not None:
        process.stdout.close()
    for one in left_over(config):
        one.kill()
