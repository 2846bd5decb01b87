"""What goes wrong at a start or within Flink is set right, or said: torn checkpoints, and restarts without end."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from contracts import topics
from contracts.messages import FrameTracks
from stream.jobs.exits import EXIT_LOOP
from stream.jobs.ports import free_port
from tests.jobs.world import CONFIG, SiteUnderTest, visits

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

MOST = 5
"""Restarts that are a loop: the pauses between the default's ten add up to 45 s."""


def test_a_torn_checkpoint_is_set_aside_and_a_camera_that_is_no_more_stops_nothing(tmp_path: Path) -> None:
    """The start goes on from the checkpoint before, with a config that lacks a camera: its state is in there, and its
    frames are still in the topic.
    """
    frames = visits("gate", 200)
    with SiteUnderTest(tmp_path) as site:
        site.send([*frames[:100], *visits("yard", 60)])
        site.wait("the first half", lambda: len(site.messages(topics.TRACKS, FrameTracks)) >= 160)
        site.wait("two checkpoints", lambda: len(_checkpoints(site)) >= 2)
    # What a power cut leaves: a file of which not everything had reached the disk.
    *_, older, newest = _checkpoints(site)
    os.truncate(newest, newest.stat().st_size // 2)
    cameras: dict[str, object] = CONFIG["cameras"]  # type: ignore[assignment]
    with SiteUnderTest(tmp_path, {**CONFIG, "cameras": {"gate": cameras["gate"]}}) as site:
        site.send([*visits("yard", 80)[60:], *frames[100:]])
        # Frames between the two checkpoints are tracked once more: places count, not records.
        site.wait("the second half", lambda: len(_places(site, "gate")) == 200)
        log = (site.system.state_dir / "logs" / "jobs.log").read_text()
        assert f"the checkpoint {newest.parent} is torn" in log
        assert f"goes on from {older.parent}" in log
        assert "is started again" not in log
        assert site.system.child("jobs").failures == 0
        flink_log = (site.system.state_dir / "logs" / "flink.log").read_text()
        assert "Starting Flink Mini Cluster" in flink_log
        assert "Name collision" not in flink_log  # eight lines a checkpoint: 400 MB a day
    assert not newest.parent.exists()
    assert newest.parent.with_name(f"torn-{newest.parent.name}").is_dir()


def _places(site: SiteUnderTest, camera: str) -> set[int]:
    return {one.index for one in site.messages(topics.TRACKS, FrameTracks) if one.camera == camera}


def _checkpoints(site: SiteUnderTest) -> list[Path]:
    found = (site.system.state_dir / "stream" / "checkpoints").glob("*/chk-*/_metadata")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def test_a_loop_of_restarts_ends_with_its_cause_in_the_terminal(tmp_path: Path) -> None:
    port = free_port()
    site = SiteUnderTest(tmp_path, {**CONFIG, "stream": {"model": "manifest.json", "metrics_port": port}})
    garbage = b"no model at all"
    (tmp_path / site.manifest.file).write_bytes(garbage)
    manifest = msgspec.structs.replace(site.manifest, sha256=hashlib.sha256(garbage).hexdigest())
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    site.system.options = replace(site.system.options, jobs_arguments=("--most-restarts", str(MOST)))
    said: list[str] = []
    site.system.say = said.append
    with site:
        child = site.system.child("jobs")
        site.wait("a count", lambda: _counted(port, 'vedette_task_restarts_total{task="detect"}') >= 2.0)
        site.wait("the end of the loop", lambda: child.code is not None, timeout_s=400.0)
        site.wait("its words", lambda: any("given up" in line for line in said), timeout_s=5.0)
    assert child.code == EXIT_LOOP
    again = [line for line in said if "is started again" in line]
    assert len(again) == MOST
    assert all("detect" in line and "ModelError" in line for line in again)
    assert [line for line in said if f"given up after {MOST} restarts" in line and "ModelError" in line]
    assert "jobs: the jobs run" not in said


def _counted(port: int, sample: str) -> float:
    """The metric's value, 0 as long as there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return float(next((line.rsplit(" ", 1)[1] for line in lines if line.startswith(sample)), "0"))
