"""A probe: what an address shows, or in which words it is told that it shows nothing, and never later than its time."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.config import Input
from contracts.controls import ProbeCamera
from contracts.edge_messages import CameraProbe
from edge.capture import Capture, OpenCapture, OpenCvCapture
from edge.explain import why_no_picture
from edge.probe import MAX_OPEN, ProbeEnds, Prober
from tests.edge_tools import MjpegServer, moving_square, write_clip

SECRETS = {"GATE_PASSWORD": "open-sesame"}


class Asking:
    """A prober whose answers are waited for."""

    def __init__(self, open_capture: OpenCapture = OpenCvCapture, limit_s: float = 11.0) -> None:
        self.answers: list[CameraProbe] = []
        self._answered = threading.Condition()
        ends = ProbeEnds(
            site="yard", agent="a", open_capture=open_capture, secrets=SECRETS, now_ms=lambda: 7, answer=self._take
        )
        self.prober = Prober(ends, limit_s)

    def ask(self, url: str, name: str = "q") -> None:
        self.prober.ask(ProbeCamera(id=name, source=Input(url=url), until_ms=0))

    def wait(self, count: int = 1) -> list[CameraProbe]:
        with self._answered:
            assert self._answered.wait_for(lambda: len(self.answers) >= count, 15)
            return list(self.answers)

    def _take(self, probe: CameraProbe) -> None:
        with self._answered:
            self.answers.append(probe)
            self._answered.notify_all()


def seen(url: str) -> CameraProbe:
    asking = Asking()
    asking.ask(url)
    return asking.wait()[0]


@contextmanager
def answering(line: bytes) -> Iterator[int]:
    """A host whose every connection is answered with that line; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1024)
            self.request.sendall(line)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_file_shows_its_picture_small_and_what_it_is(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "wide.avi", 5, fps=25, picture=lambda n: moving_square(n, 1280, 720))
    probe = seen(str(clip))
    assert (probe.error, probe.width, probe.height, probe.fps, probe.codec) == ("", 1280, 720, 25.0, "mjpg")
    assert cv2.imdecode(np.frombuffer(probe.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (360, 640, 3)
    assert (probe.site, probe.id, probe.agent, probe.at_ms) == ("yard", "q", "a", 7)


def test_a_camera_on_the_network_shows_its_picture() -> None:
    with MjpegServer(100) as server:
        probe = seen(server.url)
    assert (probe.error, probe.width, probe.height) == ("", 320, 240)
    assert probe.jpeg


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nowhere.mp4", "there is no file nowhere.mp4"),
        ("rtsp://{OTHER}@127.0.0.1/x", "the secret OTHER is not set in the environment"),
        ("rtsp://no-such-host.invalid/x", "the host no-such-host.invalid is not known"),
    ],
)
def test_what_can_t_be_opened_is_said(url: str, words: str) -> None:
    probe = seen(url)
    assert words in probe.error
    assert probe.jpeg == b""


def test_a_host_that_refuses_is_named_and_its_password_is_not() -> None:
    probe = seen(f"rtsp://viewer:{{GATE_PASSWORD}}@127.0.0.1:{closed_port()}/x")
    assert "127.0.0.1 refuses connections on port" in probe.error
    assert SECRETS["GATE_PASSWORD"] not in probe.error


@pytest.mark.parametrize(
    ("scheme", "line", "words"),
    [
        ("rtsp", b"RTSP/1.0 401 Unauthorized\r\n\r\n", "refuses this user and password"),
        ("rtsp", b"RTSP/1.0 404 Not Found\r\n\r\n", "has no such stream"),
        ("rtsp", b"HTTP/1.0 200 OK\r\n\r\n", ""),
        ("rtsp", b"SSH-2.0-OpenSSH\r\n", "does not speak RTSP"),
        ("http", b"HTTP/1.1 403 Forbidden\r\n\r\n", "forbids this user"),
        ("http", b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "answers 500 Internal Server Error"),
    ],
)
def test_a_host_s_own_word_is_told(scheme: str, line: bytes, words: str) -> None:
    with answering(line) as port:
        why = why_no_picture(f"{scheme}://viewer:x@127.0.0.1:{port}/main", 2)
    assert words in why
    assert bool(why) == bool(words)


def test_a_camera_that_wants_a_password_and_gets_none_says_so() -> None:
    with answering(b"RTSP/1.0 401 Unauthorized\r\n\r\n") as port:
        assert why_no_picture(f"rtsp://127.0.0.1:{port}/main", 2) == "the camera wants a user and a password"


def test_what_hangs_is_answered_for_in_time_once_and_no_more_than_a_few_hang() -> None:
    release = threading.Event()

    def hang(source: Input, url: str) -> Capture:
        release.wait(20)
        return OpenCvCapture(source, url)

    asking = Asking(hang, limit_s=0.3)
    for number in range(MAX_OPEN + 1):
        asking.ask("nowhere.mp4", str(number))
    told = {probe.id: probe.error for probe in asking.wait(MAX_OPEN + 1)}
    assert told.pop(str(MAX_OPEN)) == f"{MAX_OPEN} other addresses are being tried"
    assert set(told.values()) == {"no answer within 0.3 s"}
    release.set()
    threading.Event().wait(0.2)
    assert len(asking.answers) == MAX_OPEN + 1
