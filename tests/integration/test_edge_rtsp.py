"""A camera behind a real RTSP server: it comes late, is taken away and comes back; its password is never shown."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from bus.admin import create_topics
from contracts.edge_messages import EdgeStatus
from contracts.topics import specs
from tests.edge_tools import RunningAgent, frames_of, moving_square, statuses_of, write_clip
from tests.waiting import wait_until
from vedette.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SITE = "rtsp"
PASSWORD = "open-sesame"
SERVER = Path(__file__).parents[1] / "rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"


@pytest.fixture(scope="module")
def gstreamer() -> None:
    """GStreamer's RTSP server with its Python bindings; as root on Debian it is installed when it is missing."""
    if usable():
        return
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=120)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES.split()]
        subprocess.run(install, check=True, timeout=600, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    assert usable(), f"the RTSP test needs a real server: apt-get install {PACKAGES}"


def usable() -> bool:
    """Whether the system's Python can serve H.264 over RTSP."""
    script = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
        "Gst.init(None); parts = ('x264enc', 'avidemux', 'jpegdec', 'rtph264pay'); "
        "assert all(map(Gst.ElementFactory.find, parts))"
    )
    return subprocess.run([SYSTEM_PYTHON, "-c", script], capture_output=True, check=False).returncode == 0


@contextmanager
def serving(port: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The server with a small and a large stream of the same scene."""
    streams = [f"/{name}={folder / name}.avi" for name in ("sub", "main")]
    command = [SYSTEM_PYTHON, str(SERVER), str(port), "viewer", PASSWORD, *streams]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            yield server
        finally:
            server.kill()


def write_config(folder: Path, port: int) -> Path:
    address = f"rtsp://viewer:{{RTSP_PASSWORD}}@127.0.0.1:{port}"
    timeouts = {"open_timeout_s": 5, "read_timeout_s": 2}
    camera = {
        "inputs": [
            {"url": f"{address}/sub", "roles": ["detect"], **timeouts},
            {"url": f"{address}/main", "roles": ["detail"], **timeouts},
        ],
        "masks": {"window": {"coordinates": [[0, 0], [0.25, 0], [0.25, 0.25], [0, 0.25]]}},
    }
    path = folder / "site.yaml"
    path.write_text(json.dumps({"site": {"name": SITE}, "edge": {"metrics_port": 0}, "cameras": {"gate": camera}}))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_camera_comes_goes_and_comes_back(gstreamer: None, broker: Broker, tmp_path: Path) -> None:
    write_clip(tmp_path / "sub.avi", 1200)
    write_clip(tmp_path / "main.avi", 1200, picture=lambda index: moving_square(index, 640, 480))
    create_topics(broker.bootstrap, specs(SITE, 2))
    port = free_port()
    config = write_config(tmp_path, port)

    def last() -> EdgeStatus | None:
        found = statuses_of(broker.bootstrap, SITE)
        return found[-1] if found else None

    def is_in(state: str) -> bool:
        status = last()
        return status is not None and status.state == state

    environment = {**os.environ, "RTSP_PASSWORD": PASSWORD}
    with RunningAgent(config, broker.bootstrap, tmp_path / "state", env=environment) as agent:
        wait_until(lambda: is_in("down"), 15, "a camera that isn't there is down")
        with serving(port, tmp_path) as server:
            wait_until(lambda: is_in("up"), 30, "the camera is up")
            wait_until(lambda: sum(f.detail for f in frames_of(broker.bootstrap, SITE)) >= 5, 30, "full-size frames")
            server.kill()
        statuses_before = len(statuses_of(broker.bootstrap, SITE))
        wait_until(lambda: is_in("down"), 12, "the camera is down within 10 s and a status")
        before = len(frames_of(broker.bootstrap, SITE))
        with serving(port, tmp_path):
            wait_until(lambda: is_in("up"), 30, "the camera is up again")
            wait_until(lambda: len(frames_of(broker.bootstrap, SITE)) > before + 20, 30, "frames again")
            took_s = agent.end()
        log = agent.log()

    assert took_s < 5
    frames = frames_of(broker.bootstrap, SITE)
    places = [(frame.session, frame.index) for frame in frames]
    assert places == sorted(set(places))
    for frame in frames:
        picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == ((480, 640, 3) if frame.detail else (240, 320, 3))
        assert picture[: picture.shape[0] // 4 - 8, : picture.shape[1] // 4 - 8].max() < 16  # the mask, to JPEG's noise
        assert picture[picture.shape[0] // 2 :, picture.shape[1] // 2 :].max() > 32
    known = next(number for number, frame in enumerate(frames) if frame.detail)
    assert {(frame.width, frame.height) for frame in frames[known:]} == {(640, 480)}  # from the main stream on
    statuses = statuses_of(broker.bootstrap, SITE)
    down = next(status for status in statuses[statuses_before - 1 :] if status.state == "down")
    assert down.at_ms - down.last_frame_at_ms <= 10_000
    assert PASSWORD not in log
    assert "viewer:***@" in log
    assert not any(PASSWORD in status.reason for status in statuses)
