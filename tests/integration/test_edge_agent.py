"""The agent as a process with the real broker: sources, controls, statuses, metrics, its end, and replay."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from bus.admin import create_topics
from contracts import topics
from contracts.codec import encode
from contracts.config import Mask
from contracts.config_file import load
from contracts.controls import Budget, EdgeControl, RunCamera
from contracts.messages import DeadLetter, Frame
from contracts.slots import slots
from contracts.topics import specs
from tests.edge_tools import MjpegServer, RunningAgent, frames_of, moving_square, records_of, statuses_of, write_clip
from tests.kafka_tools import Writer
from tests.waiting import wait_until
from vedette.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

START_MS = 1_700_000_000_000


def write_config(folder: Path, site: str, cameras: dict[str, Any], **edge: Any) -> Path:
    path = folder / "site.yaml"
    path.write_text(json.dumps({"site": {"name": site}, "edge": {"metrics_port": 0, **edge}, "cameras": cameras}))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def control(broker: Broker, site: str, *values: Budget | RunCamera | bytes) -> None:
    with Writer(broker.bootstrap) as writer:
        for value in values:
            data = value if isinstance(value, bytes) else encode(EdgeControl(site=site, change=value))
            writer.send(topics.EDGE_CONTROLS, data, f"{site}/{len(data)}")


def test_cameras_of_all_kinds_are_published_and_end_with_the_agent(broker: Broker, tmp_path: Path) -> None:
    site, port = "kinds", free_port()
    create_topics(broker.bootstrap, specs(site, 2))
    still = write_clip(tmp_path / "still.avi", 20, picture=lambda index: moving_square(0))
    moving = write_clip(tmp_path / "moving.avi", 50, fps=25)
    once = write_clip(tmp_path / "once.avi", 20)
    with MjpegServer(100_000, fps=25) as server:
        cameras = {
            "still": {"inputs": [{"url": str(still), "loop": True}]},
            "moving": {"inputs": [{"url": str(moving), "loop": True}], "detect": {"height": 120}},
            "http": {"inputs": [{"url": server.url}]},
            "once": {"inputs": [{"url": str(once)}]},
            "off": {"inputs": [{"url": str(still)}], "enabled": False},
            "gone": {"inputs": [{"url": "/dev/video93"}]},
        }
        config = write_config(tmp_path, site, cameras, metrics_port=port)
        with RunningAgent(config, broker.bootstrap, tmp_path / "state") as agent:
            wait_until(lambda: len(statuses_of(broker.bootstrap, site)) > 5 * 14, 60, "fourteen statuses a camera")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
                shown = response.read().decode()
            took_s = agent.end()
    assert took_s < 5
    assert 'vedette_camera_up{camera="moving"} 1.0' in shown
    assert 'vedette_camera_up{camera="gone"} 0.0' in shown
    assert 'vedette_capture_to_broker_seconds_count{camera="http"}' in shown

    partitions = slots(load(config))
    frames: dict[str, list[Frame]] = {name: [] for name in cameras}
    for record, frame in records_of(broker.bootstrap, topics.frames(site), Frame):
        frames[frame.camera].append(frame)
        assert record.timestamp_ms == frame.captured_at_ms
        assert record.partition == partitions[frame.camera] % 2
        assert record.key == frame.camera.encode()
        assert hashlib.sha256(frame.jpeg).hexdigest() == frame.sha256
    assert not frames["off"]
    assert not frames["gone"]
    assert 3 <= len(frames["still"]) <= 6  # heartbeats only
    assert [frame.last for frame in frames["once"]].count(True) == 1
    assert frames["once"][-1].last
    for name in ("moving", "http"):
        times = [frame.captured_at_ms for frame in frames[name]]
        rate = 1000 * (len(times) - 1) / (times[-1] - times[0])
        assert 8.5 <= rate <= 10.2
        details = sum(frame.detail for frame in frames[name]) / ((times[-1] - times[0]) / 1000)
        assert 1.7 <= details <= 2.2
    small = next(frame for frame in frames["moving"] if not frame.detail)
    assert cv2.imdecode(np.frombuffer(small.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
    assert (small.width, small.height) == (320, 240)

    last = {status.camera: status for status in statuses_of(broker.bootstrap, site)}
    assert {name: status.state for name, status in last.items()} == {
        "still": "up", "moving": "up", "http": "up", "once": "ended", "gone": "down",
    }  # fmt: skip
    assert "can't be opened" in last["gone"].reason
    assert last["moving"].counters.captured > 2 * last["moving"].counters.sent > 0
    offset_ms = last["moving"].clock_offset_ms
    assert offset_ms is not None
    assert abs(offset_ms) < 1000
    assert 20 <= last["moving"].captured_fps <= 27
    assert 8 <= last["moving"].sent_fps <= 11
    assert frames_of(broker.bootstrap, site, "late") == []


def test_controls_apply_while_it_runs_and_bad_ones_become_dead_letters(broker: Broker, tmp_path: Path) -> None:
    site = "controls"
    create_topics(broker.bootstrap, specs(site, 2))
    clip = str(write_clip(tmp_path / "clip.avi", 50))
    config = write_config(tmp_path, site, {"gate": {"inputs": [{"url": clip, "loop": True}]}})
    everything = {"all": Mask(coordinates=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))}
    masked = RunCamera(camera="gate", spec=replace(load(config).cameras["gate"], masks=everything))
    control(broker, "another", Budget(camera="gate", fps=0.1))
    with RunningAgent(config, broker.bootstrap, tmp_path / "state") as agent:
        wait_until(lambda: len(frames_of(broker.bootstrap, site)) > 20, 30, "frames")
        bad = (b"\x00" * 100_000, b"{}", encode(EdgeControl(site=site, change=Budget(camera="nobody"))))
        control(broker, site, *bad, Budget(camera="gate", fps=-1), masked)

        def is_black() -> bool:
            jpeg = frames_of(broker.bootstrap, site)[-1].jpeg
            return bool(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).max() < 8)

        wait_until(is_black, 20, "the mask is on")
        assert agent.process.poll() is None
        agent.end()
    letters = [
        letter
        for _, letter in records_of(broker.bootstrap, topics.DEAD_LETTERS, DeadLetter)
        if letter.topic == topics.EDGE_CONTROLS and letter.source == "edge"
    ]
    assert len(letters) == 4
    assert max(len(letter.payload) for letter in letters) == 64 * 1024
    # A new start finds the masks on its disk or in the topic before the first picture is a second old.
    seen = len(frames_of(broker.bootstrap, site))
    with RunningAgent(config, broker.bootstrap, tmp_path / "state") as agent:
        wait_until(lambda: len(frames_of(broker.bootstrap, site)) > seen, 30, "frames of the second start")
        wait_until(is_black, 10, "the mask is on again")
        agent.end()


def replay(broker: Broker, folder: Path, config: Path) -> str:
    """Run a replay to its end; returns its log."""
    options = ("--replay-start-ms", str(START_MS), "--every-frame", "--session", "1")
    with RunningAgent(config, broker.bootstrap, folder / "state", *options) as agent:
        assert agent.process.wait(120) == 0, agent.log()
        return agent.log()


def test_a_replay_gives_every_frame_and_the_same_bytes_twice(broker: Broker, tmp_path: Path) -> None:
    clips = {
        "ten": write_clip(tmp_path / "ten.avi", 300),
        "fast": write_clip(tmp_path / "fast.mp4", 100, fps=25, code="mp4v"),
    }
    runs: list[dict[str, list[bytes]]] = []
    for site in ("first", "second"):
        create_topics(broker.bootstrap, specs(site, 2, keep_forever=True))
        cameras = {name: {"inputs": [{"url": str(clip)}]} for name, clip in clips.items()}
        log = replay(broker, tmp_path, write_config(tmp_path, site, cameras))
        assert '"message":"progress"' in log
        frames = frames_of(broker.bootstrap, site)
        runs.append({name: [f.jpeg for f in frames if f.camera == name] for name in clips})
        ten = [f for f in frames if f.camera == "ten"]
        fast = [f for f in frames if f.camera == "fast"]
        assert [(f.session, f.index, f.captured_at_ms) for f in ten] == [(1, i, START_MS + 100 * i) for i in range(300)]
        assert [f.captured_at_ms - START_MS for f in fast] == [40 * i for i in range(100)]
        assert [f.last for f in ten] == [False] * 299 + [True]
        assert sum(f.detail for f in ten) == 60
        assert sum(f.detail for f in fast) == 8
        assert frames_of(broker.bootstrap, site, "late") == []
        assert statuses_of(broker.bootstrap, site) == []
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("camera", "code", "words"),
    [
        ({"inputs": [{"url": "nowhere.mp4"}]}, 1, "there is no file"),
        ({"inputs": [{"url": "rtsp://127.0.0.1:1/x"}]}, 2, "only files can be replayed"),
        ({"inputs": []}, 2, "one input needs the role"),
    ],
)
def test_a_replay_that_can_t_be_done_says_why(
    broker: Broker, tmp_path: Path, camera: dict[str, Any], code: int, words: str
) -> None:
    site = "wrong"
    create_topics(broker.bootstrap, specs(site, 2, keep_forever=True))
    config = write_config(tmp_path, site, {"gate": camera})
    options = ("--replay-start-ms", "0", "--every-frame", "--session", "1")
    with RunningAgent(config, broker.bootstrap, tmp_path / "state", *options, env=dict(os.environ)) as agent:
        assert agent.process.wait(30) == code
        assert words in agent.log()
        assert "Traceback" not in agent.log()


def test_two_agents_don_t_share_a_state_folder(broker: Broker, tmp_path: Path) -> None:
    site = "twice"
    create_topics(broker.bootstrap, specs(site, 2))
    clip = str(write_clip(tmp_path / "clip.avi", 50))
    config = write_config(tmp_path, site, {"gate": {"inputs": [{"url": clip, "loop": True}]}})
    with RunningAgent(config, broker.bootstrap, tmp_path / "state") as first:
        wait_until(lambda: len(frames_of(broker.bootstrap, site)) > 0, 30, "frames")
        with RunningAgent(config, broker.bootstrap, tmp_path / "state") as second:
            assert second.process.wait(20) == 1
            assert "another agent uses" in second.log()
        first.end()
