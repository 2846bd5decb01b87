"""Files and live sources: which pictures come, with what time, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts.config import Input
from contracts.errors import CameraError
from edge.capture import OpenCvCapture, is_file
from edge.source import Shot, Timing, shots
from tests.edge_tools import moving_square, write_clip

NOW_MS = 1_700_000_000_000


class FakeCapture:
    """`positions` are the container's times; opened captures are counted."""

    opened = 0

    def __init__(self, positions: list[float], fps: float = 10.0) -> None:
        self.positions, self.fps, self.frame_count, self.at, self.closed = positions, fps, len(positions), -1, False
        type(self).opened += 1

    def grab(self) -> bool:
        self.at += 1
        return self.at < len(self.positions)

    def position_ms(self) -> float:
        return self.positions[min(self.at, len(self.positions) - 1)]

    def retrieve(self) -> np.ndarray:
        return np.full((2, 2, 3), self.at, np.uint8)

    def close(self) -> None:
        self.closed = True


def read(source: Input, captures: list[FakeCapture], *, replay_start_ms: int | None = None) -> Iterator[Shot]:
    waiting = iter(captures)
    timing = Timing(lambda: NOW_MS, replay_start_ms)
    return shots(source, source.url, lambda source, url: next(waiting), timing, threading.Event())


FAST = Input(url="clip.mp4", pace="fast")


def test_a_file_s_last_picture_is_marked() -> None:
    capture = FakeCapture([0, 100, 200])
    found = [(s.position_ms, s.last, int(s.picture()[0, 0, 0])) for s in read(FAST, [capture])]
    assert found == [(0, False, 0), (100, False, 1), (200, True, 2)]
    assert capture.closed


@pytest.mark.parametrize(
    ("positions", "fps", "expected"),
    [
        ([0, 100, 200], 10, [0, 100, 200]),  # as it should be
        ([0, 33.3667, 66.7334], 29.97, [0, 33, 67]),  # rounded, not added up
        ([0, 40, 120, 160], 25, [0, 40, 120, 160]),  # a gap in the recording stays one
        ([0, 0, 0, 0], 25, [0, 40, 80, 120]),  # no times in it: by number
        ([0, 40, 20, 60], 25, [0, 40, 80, 120]),  # times that go back
        ([0, 0, 0], 0, [0, 40, 80]),  # nor a rate
        ([-5, 35, 75], 25, [0, 35, 75]),  # begins before zero
    ],
)
def test_replay_times_are_the_container_s(positions: list[float], fps: float, expected: list[int]) -> None:
    found = [s.captured_at_ms - 1000 for s in read(FAST, [FakeCapture(positions, fps)], replay_start_ms=1000)]
    assert found == expected


def test_a_replay_neither_waits_nor_loops() -> None:
    begun = time.monotonic()
    source = Input(url="clip.mp4", loop=True)
    assert [s.last for s in read(source, [FakeCapture([0, 5000, 10_000])], replay_start_ms=0)] == [False, False, True]
    assert time.monotonic() - begun < 1


def test_real_time_is_kept_also_over_the_loop() -> None:
    found: list[float] = []
    source = Input(url="clip.mp4", loop=True)
    begun = time.monotonic()
    for shot in read(source, [FakeCapture([0, 100, 200]) for _ in range(3)]):
        assert not shot.last
        found.append(time.monotonic() - begun)
        if len(found) == 6:
            break
    assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5], abs=0.05)


@pytest.mark.parametrize(
    ("url", "positions", "reason"),
    [
        ("clip.mp4", [], "no picture"),
        ("rtsp://host/x", [0.0, 1.0], "the stream ended"),
        ("rtsp://host/x", [], "stream"),
    ],
)
def test_what_ends_that_should_not_is_an_error(url: str, positions: list[float], reason: str) -> None:
    capture = FakeCapture(positions)
    with pytest.raises(CameraError, match=reason):
        list(read(Input(url=url), [capture]))
    assert capture.closed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a/b.mp4", True),
        ("file:///a/b.mp4", True),
        ("rtsp://h/x", False),
        ("/dev/video0", False),
        ("http://h/x", False),
    ],
)
def test_files_are_told_from_live_sources(url: str, expected: bool) -> None:
    assert is_file(url) is expected


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_real_file_by_path_and_url(tmp_path: Path, prefix: str) -> None:
    clip = write_clip(tmp_path / "a clip.avi", 12, fps=12.5)
    source = Input(url=f"{prefix}{str(clip).replace(' ', '%20') if prefix else clip}")
    timing = Timing(lambda: NOW_MS, 0)
    found = [
        (s.captured_at_ms, s.duration_ms, s.picture())
        for s in shots(source, source.url, OpenCvCapture, timing, threading.Event())
    ]
    assert [at for at, _, _ in found] == [80 * i for i in range(12)]
    assert {duration for _, duration, _ in found} == {960}
    assert np.abs(found[5][2].astype(int) - moving_square(5).astype(int)).mean() < 3


@pytest.mark.parametrize("url", ["nowhere.mp4", "file:///nowhere.mp4", "/dev/video97", "http://127.0.0.1:9/x"])
def test_what_is_not_there_is_a_camera_error(url: str) -> None:
    with pytest.raises(CameraError, match=r"can't be opened|there is no file"):
        OpenCvCapture(Input(url=url, open_timeout_s=2), url)


def test_no_video_is_a_camera_error(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(CameraError, match="can't be opened"):
        OpenCvCapture(Input(url=""), str(tmp_path / "text.mp4"))
