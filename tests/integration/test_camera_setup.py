"""A camera added in the console: tried by its agent, read at once and after a restart, and not once it is removed."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from bus.admin import create_topics
from contracts import topics
from tests.console_process import ConsoleProcess
from tests.edge_tools import RunningAgent, as_decide_takes_them, frames_of, moving_square, statuses_of, write_clip
from tests.waiting import wait_until
from vedette.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

SITE = "added"
CONFIG = f"""
site: {{name: {SITE}}}
edge: {{metrics_port: 0}}
cameras:
  gate: {{inputs: [{{url: none.mp4}}], enabled: false}}
"""


@pytest.fixture(scope="module")
def console(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Somebody signed in to a console beside the broker."""
    create_topics(broker.bootstrap, topics.specs(SITE, 2))
    process = ConsoleProcess(tmp_path_factory.mktemp("console"), broker.bootstrap, CONFIG)
    process.start()
    try:
        client = process.administrator()
        yield client
        client.close()
    finally:
        process.stop()


def tried(console: httpx.Client, url: str) -> tuple[dict[str, Any], float]:
    """What the agent says of an address, and how long that took."""
    began_s = time.monotonic()
    reply = console.post("/api/cameras/try", json={"source": {"url": url}}, timeout=20)
    assert reply.status_code == 200, reply.text
    return reply.json(), time.monotonic() - began_s


def test_a_camera_is_tried_added_kept_and_removed(broker: Broker, console: httpx.Client, tmp_path: Path) -> None:
    write_clip(tmp_path / "porch.avi", 50, picture=lambda n: moving_square(n, 1280, 720))
    environment = {**os.environ, "PORCH_FOLDER": str(tmp_path)}
    address = "{PORCH_FOLDER}/porch.avi"

    def sent() -> int:
        return sum(frame.camera == "porch" for frame in frames_of(broker.bootstrap, SITE))

    config = tmp_path / "site.yaml"
    config.write_text(CONFIG)

    def agent(*options: str, state: str = "edge") -> RunningAgent:
        return RunningAgent(config, broker.bootstrap, tmp_path / state, *(options or ("--name=box",)), env=environment)

    def sender() -> set[str]:
        """Who says of itself that it reads the camera, in the last two seconds."""
        since_ms = time.time() * 1000 - 2000
        return {one.agent for one in statuses_of(broker.bootstrap, SITE) if one.at_ms > since_ms}

    with agent() as running:
        seen, took_s = tried(console, address)
        assert (seen["error"], seen["width"], seen["height"], seen["codec"]) == ("", 1280, 720, "mjpg")
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(seen["jpeg"]), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (360, 640, 3)
        print(f"\npicture of a file after {took_s:.2f} s")
        for url, words in (
            ("rtsp://viewer@no-such-host.invalid/x", "the host no-such-host.invalid is not known"),
            ("rtsp://127.0.0.1:1/x", "refuses connections on port 1"),
            ("rtsp://a:{NOT_SET}@127.0.0.1/x", "the secret NOT_SET is not set in the environment"),
        ):
            seen, took_s = tried(console, url)
            assert words in seen["error"]
            assert took_s < 13
            print(f"{words!r} after {took_s:.2f} s")

        camera = {"inputs": [{"url": address, "loop": True}], "objects": {"track": ["person"]}}
        added = console.put("/api/cameras/porch", json={"camera": camera})
        assert added.status_code == 200, added.text
        wait_until(lambda: sent() > 5, 20, "frames of the added camera")
        small = camera | {"detect": {"height": 120}}
        assert console.put("/api/cameras/porch", json={"camera": small}).status_code == 200

        def height() -> int:
            last = [f for f in frames_of(broker.bootstrap, SITE) if not f.detail][-1]
            return int(cv2.imdecode(np.frombuffer(last.jpeg, np.uint8), cv2.IMREAD_COLOR).shape[0])

        wait_until(lambda: height() == 120, 20, "frames of the changed size")
        write_clip(tmp_path / "other.avi", 50)
        other = {"inputs": [{"url": "{PORCH_FOLDER}/other.avi", "loop": True}]}
        assert console.put("/api/cameras/porch", json={"camera": other}).status_code == 200
        seen_before = sent()
        wait_until(lambda: sent() > seen_before + 5, 20, "frames of the other input, with places above the last")
        running.end()

    before = sent()
    with agent() as running:
        wait_until(lambda: sent() > before + 5, 30, "frames after the agent's restart")
        with agent("--name=bridge", state="bridge") as bridge:
            for name in ("bridge", "box", "bridge"):
                moved = other | {"agent": name}
                assert console.put("/api/cameras/porch", json={"camera": moved}).status_code == 200
                wait_until(lambda name=name: sender() == {name}, 20, f"the frames of {name} alone")
            before = sent()
            wait_until(lambda: sent() > before + 5, 20, "frames after the camera was moved three times")
            assert console.put("/api/cameras/porch", json={"camera": other | {"agent": "box"}}).status_code == 200
            wait_until(lambda: sender() == {"box"}, 20, "its first agent again")
            bridge.end()
        assert console.delete("/api/cameras/porch").status_code == 204
        wait_until(
            lambda: statuses_of(broker.bootstrap, SITE)[-1].at_ms < time.time() * 1000 - 2500, 20, "it is silent"
        )
        stopped = sent()
        assert [status.camera for status in statuses_of(broker.bootstrap, SITE)][-1] == "porch"
        running.end()
    assert sent() == stopped
    frames = [frame for frame in frames_of(broker.bootstrap, SITE) if frame.camera == "porch"]
    taken = as_decide_takes_them(frames)
    assert len(frames) - len(taken) <= 20, "what two sent while the camera was moved, once each"
    assert len({session for session, _ in taken}) >= 6, "one a start or move, none left behind"


def test_without_an_agent_the_answer_says_so(console: httpx.Client) -> None:
    seen, took_s = tried(console, "rtsp://127.0.0.1/x")
    assert "the site's agent did not answer within 13 s" in seen["error"]
    assert took_s < 15


def test_a_password_in_an_address_does_not_travel(console: httpx.Client) -> None:
    refused = console.post("/api/cameras/try", json={"source": {"url": "rtsp://viewer:open-sesame@porch/1"}})
    assert refused.status_code == 422
    assert "which must not travel" in refused.json()["error"]
    assert "open-sesame" not in refused.text
