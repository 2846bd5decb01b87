"""For the agent's tests: clips with known pictures, a running agent, and what it left on its topics."""

from __future__ import annotations

import http.server
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from bus.consuming import Record
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame, Message

M = TypeVar("M", bound=Message)


def moving_square(index: int, width: int = 320, height: int = 240) -> np.ndarray:
    """A structured grey picture (H, W, 3) with a white square that goes right by 4 pixels a picture."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = (60 + 40 * ((rows // 16 + columns // 16) % 2)).astype(np.uint8)
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    left = 4 * index % (width - 40)
    picture[height // 3 : height // 3 + 40, left : left + 40] = 255
    return picture


def write_clip(
    path: Path, count: int, fps: float = 10.0, picture: Callable[[int], np.ndarray] = moving_square, code: str = "MJPG"
) -> Path:
    """A video file of `count` pictures."""
    first = picture(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, (first.shape[1], first.shape[0]))
    assert writer.isOpened()
    for index in range(count):
        writer.write(picture(index))
    writer.release()
    return path


class MjpegServer:
    """A camera that serves JPEGs over HTTP as multipart/x-mixed-replace; each client gets `count` of them."""

    def __init__(self, count: int, fps: float = 50.0) -> None:
        self.clients = 0
        pictures = [cv2.imencode(".jpg", moving_square(index))[1].tobytes() for index in range(25)]
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.clients += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    for index in range(count):
                        jpeg = pictures[index % len(pictures)]
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        if fps:
                            time.sleep(1 / fps)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/video"

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class RunningAgent:
    """`python -m edge` as a child process; its log goes to `log_file`."""

    def __init__(self, config: Path, bootstrap: str, state: Path, *options: str, env: Mapping[str, str] | None = None):
        self.log_file = config.with_suffix(".log")
        self._log = self.log_file.open("ab")
        command = [sys.executable, "-m", "edge", f"--config={config}", f"--bootstrap={bootstrap}", f"--state={state}"]
        self.process = subprocess.Popen([*command, *options], stderr=self._log, env=env)

    def __enter__(self) -> RunningAgent:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()

    def end(self, timeout_s: float = 5.0) -> float:
        """SIGTERM; returns how long (s) it took, and fails when it takes longer or ends with an error."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout_s) == 0, self.log()
        return time.monotonic() - asked

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What it logged so far."""
        return self.log_file.read_text()


def records_of(bootstrap: str, topic: str, kind: type[M]) -> list[tuple[Record, M]]:
    """All records of the topic with their messages, in order within a partition."""
    with Reader(bootstrap, topic) as reader:
        return [(record, decode(record.value or b"", kind)) for record in reader.held()]


def frames_of(bootstrap: str, site: str, lane: str = "live") -> list[Frame]:
    """The frames of one lane of a site."""
    topic = topics.frames(site) if lane == "live" else topics.frames_late(site)
    return [frame for _, frame in records_of(bootstrap, topic, Frame)]


def statuses_of(bootstrap: str, site: str) -> list[EdgeStatus]:
    """The statuses of a site."""
    return [status for _, status in records_of(bootstrap, topics.EDGE_STATUS, EdgeStatus) if status.site == site]


def as_decide_takes_them(frames: list[Frame]) -> list[tuple[int, int]]:
    """The places (session, index) of one camera's lane that are above the lane's last place: what reaches the rules."""
    taken: list[tuple[int, int]] = []
    for frame in frames:
        place = (frame.session, frame.index)
        if not taken or place > taken[-1]:
            taken.append(place)
    return taken
