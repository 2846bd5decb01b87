"""A camera lives by itself: reconnects, states, a read that hangs, the full size from another input."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.config import Input
from contracts.controls import Budget
from contracts.edge_messages import EdgeStatus
from contracts.errors import CameraError
from contracts.messages import Frame
from contracts.metrics import Metrics
from edge import camera as module
from edge import detail as detail_module
from edge.camera import Camera, state_of
from edge.metrics import CameraMeter
from edge.pipeline import Pipeline
from edge.reader import Backoff, Ends, Reader
from edge.sampler import Worth
from edge.settings import CameraSettings
from edge.source import Shot, Timing
from edge.watched import MAX_HANGING, WatchedReader
from tests.edge_tools import moving_square
from tests.waiting import wait_until

SETTINGS = CameraSettings(
    site="yard", camera="gate", fps=50, detail_fps=10, height=120, jpeg_quality=80, heartbeat_s=5, gate=False,
    motion_threshold=16, motion_area=0.0005, linger_s=3,
)  # fmt: skip
SUB, MAIN = Input(url="rtsp://user:{PASS}@sub/x"), Input(url="rtsp://user:{PASS}@main/x")


class Live:
    """A live source that gives `count` pictures and then fails; `hang` lets it block until the test ends."""

    fps, frame_count = 25.0, 0
    release = threading.Event()

    def __init__(self, count: int, width: int = 320, height: int = 240, hang: bool = False) -> None:
        self.left, self.size, self.hang, self.closed = count, (width, height), hang, False

    def grab(self) -> bool:
        if self.left <= 0 and self.hang:
            self.release.wait(30)
            return False
        self.left -= 1
        time.sleep(0.01)
        return self.left >= 0

    def position_ms(self) -> float:
        return 0.0

    def retrieve(self) -> np.ndarray:
        return moving_square(self.left, *self.size)

    def close(self) -> None:
        self.closed = True


def ends_of(open_capture: Callable[[Input, str], Live], password: str = "geheim") -> Ends:
    timing = Timing(lambda: time.time_ns() // 1_000_000)
    return Ends(
        open_capture=open_capture, secrets={"PASS": password}, timing=timing, chance=random.Random(1),
        backoff=Backoff(0.01, 0.05),
    )  # fmt: skip


class Setup:
    """A camera whose frames are kept."""

    def __init__(
        self,
        open_capture: Callable[[Input, str], Live],
        detail: Input | None = None,
        *,
        sub: Input = SUB,
        password: str = "geheim",
    ) -> None:
        self.frames: list[tuple[Frame, Worth]] = []
        self.meter = CameraMeter(Metrics(CollectorRegistry()), "gate")
        self.camera = Camera(
            SETTINGS, (sub, detail), ends_of(open_capture, password), Pipeline(1, SETTINGS),
            lambda frame, worth: self.frames.append((frame, worth)), self.meter,
        )  # fmt: skip

    def __enter__(self) -> Setup:
        self.camera.start()
        return self

    def __exit__(self, *_: object) -> None:
        Live.release.set()
        self.camera.stop()
        assert self.camera.join(5)
        Live.release.clear()

    def status(self) -> EdgeStatus:
        return self.camera.status(agent="a", at_ms=1, spool_bytes=2, clock_offset_ms=3)


@pytest.mark.parametrize(
    ("now_s", "picture_s", "ended", "expected"),
    [
        (1, None, False, "starting"),  # not long here
        (7.9, None, False, "starting"),  # it may still come
        (8.1, None, False, "down"),  # it didn't
        (100, 99, False, "up"),  # a second ago
        (100, 92.1, False, "up"),  # not yet too long ago
        (100, 91.9, False, "down"),  # too long ago, and within ten seconds with a status a second
        (100, 99, True, "ended"),  # a recording is over
    ],
)
def test_states(now_s: float, picture_s: float | None, ended: bool, expected: str) -> None:
    assert state_of(now_s, 0.0, picture_s, ended=ended) == expected


def test_the_pause_doubles_with_jitter_up_to_its_bound() -> None:
    backoff, chance = Backoff(0.5, 10), random.Random(3)
    for attempt, whole in enumerate((0.5, 1, 2, 4, 8, 10, 10)):
        pauses = [backoff.pause_s(attempt, chance) for _ in range(100)]
        assert whole / 2 <= min(pauses) < max(pauses) <= whole
        assert max(pauses) - min(pauses) > whole / 4
    assert backoff.pause_s(10_000, chance) <= 10


def test_it_is_opened_again_and_again_and_the_index_goes_on() -> None:
    captures: list[Live] = []

    def open_capture(source: Input, url: str) -> Live:
        assert url == "rtsp://user:geheim@sub/x"
        if len(captures) % 2:
            captures.append(Live(0))
            raise CameraError(f"{url} can't be opened")
        captures.append(Live(5))
        return captures[-1]

    with Setup(open_capture) as setup:
        wait_until(lambda: len(setup.frames) >= 20, 10, "frames")
        assert setup.status().state == "up"
    assert setup.status().version == version("vedette")
    indices = [frame.index for frame, _ in setup.frames]
    assert indices == sorted(set(indices))
    assert all(capture.closed or not capture.left for capture in captures)
    assert setup.meter.counters().captured >= 20


def test_a_camera_that_fails_oddly_is_tried_again() -> None:
    calls = iter([RuntimeError("odd"), cv2.error("odder")])

    def open_capture(source: Input, url: str) -> Live:
        error = next(calls, None)
        if error is not None:
            raise error
        return Live(1000)

    with Setup(open_capture) as setup:
        wait_until(lambda: len(setup.frames) > 3, 10, "frames")


def test_the_reason_holds_no_password_and_names_a_missing_secret() -> None:
    def fail(source: Input, url: str) -> Live:
        raise CameraError(f"{url} can't be opened")

    with Setup(fail) as setup:
        wait_until(lambda: setup.camera.error != "", 5, "an error")
        assert setup.camera.error == "rtsp://user:***@sub/x can't be opened"
    with Setup(fail) as setup:
        reader = Reader("gate", Input(url="rtsp://{NOT_SET}@host"), ends_of(fail), lambda shot: None, lambda: None)
        reader.start()
        wait_until(lambda: reader.error != "", 5, "an error")
        reader.stop()
        assert reader.join(5)
        assert "NOT_SET is not set" in reader.error


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:{PASS}@sub/x", "rtsp://user:***@sub/x"),
        ("rtsp://sub/user=admin_password={PASS}_channel=1", "rtsp://sub/user=admin_password=***_channel=1"),
        ("http://sub/{PASS}/video", "http://sub/***/video"),
        ("rtsp://{PASS}@sub", "rtsp://***@sub"),
    ],
)
def test_the_status_holds_no_password_wherever_it_stood(url: str, shown: str) -> None:
    def fail(source: Input, filled: str) -> Live:
        raise CameraError(f"{filled} can't be opened with geh/eim")

    with Setup(fail, sub=Input(url=url), password="geh/eim") as setup:
        wait_until(lambda: setup.status().reason != "", 5, "a reason")
        assert setup.status().reason == f"{shown} can't be opened with ***"


def test_a_read_that_hangs_is_declared_down_and_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOWN_AFTER_S", 0.3)
    captures = [Live(20, hang=True), Live(10_000)]
    opened = iter(captures)
    with Setup(lambda source, url: next(opened)) as setup:
        wait_until(lambda: len(setup.frames) >= 3, 5, "the first frames")
        wait_until(lambda: setup.status().state == "down", 5, "down")
        assert setup.status().reason.startswith("no picture for")
        setup.camera.watch()
        assert setup.camera._reader._reader._thread.is_alive()  # its time-outs are not over yet
        overdue(setup.camera._reader)
        setup.camera.watch()
        wait_until(lambda: setup.status().state == "up", 5, "up again")
        before = len(setup.frames)
        Live.release.set()  # the old read comes back: nothing of it is taken
        wait_until(lambda: captures[0].closed, 5, "the old input is closed")
        wait_until(lambda: len(setup.frames) > before + 5, 5, "frames")
    indices = [frame.index for frame, _ in setup.frames]
    assert indices == sorted(set(indices))


def overdue(watched: WatchedReader) -> None:
    """Let the time pass after which a call that is under way hangs."""
    watched._reader.alive_s -= 60


def test_a_main_stream_that_hangs_is_said_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail_module, "SILENT_S", 0.5)
    mains = iter([Live(20, 640, 480, hang=True), Live(10_000, 640, 480)])

    def details() -> int:
        return sum(frame.detail for frame, _ in setup.frames)

    with Setup(lambda source, url: next(mains) if "main" in url else Live(10_000), MAIN) as setup:
        detail = setup.camera._detail
        assert detail is not None
        wait_until(lambda: details() > 0, 5, "details")
        wait_until(lambda: setup.status().reason == "no picture of the main stream for 0.5 s", 5, "the reason")
        assert setup.status().state == "up"
        began_s = time.monotonic()
        assert detail.next(5) is None
        assert time.monotonic() - began_s < 1  # it isn't waited for
        setup.camera.watch()
        assert setup.status().reason != ""  # its time-outs are not over yet
        before = details()
        overdue(detail._reader)
        setup.camera.watch()
        wait_until(lambda: details() > before + 3, 5, "details again")
        assert setup.status().reason == ""


def test_readers_that_came_back_don_t_count_and_too_many_that_hang_are_said() -> None:
    captures: list[Live] = []

    def open_capture(source: Input, url: str) -> Live:
        captures.append(Live(0, hang=True))
        captures[-1].release = threading.Event()
        return captures[-1]

    def hang_again() -> None:
        opened = len(captures)
        overdue(setup.camera._reader)
        setup.camera.watch()
        if not setup.camera.stuck:
            wait_until(lambda: len(captures) > opened, 5, "a new reader")

    with Setup(open_capture) as setup:
        wait_until(lambda: len(captures) == 1, 5, "the first reader")
        for i in range(2 * MAX_HANGING):  # each comes back in the end: it goes on for ever
            hang_again()
            captures[i].release.set()
            wait_until(lambda i=i: captures[i].closed, 5, "it came back")  # type: ignore[misc]
        assert not setup.camera.stuck
        for _ in range(MAX_HANGING):
            hang_again()
        opened = len(captures)
        hang_again()
        assert setup.camera.stuck
        assert len(captures) == opened
        assert setup.status().reason == "6 reads hang, and only a new start of the agent ends them"
        captures[-2].release.set()  # one comes back late
        wait_until(lambda: captures[-2].closed, 5, "it came back")
        wait_until(lambda: setup.camera.watch() or len(captures) > opened, 5, "a new reader")
        assert not setup.camera.stuck
        for capture in captures:
            capture.release.set()


def test_the_full_size_comes_from_the_other_input() -> None:
    def open_capture(source: Input, url: str) -> Live:
        return Live(10_000) if "sub" in url else Live(10_000, 640, 480)

    with Setup(open_capture, MAIN) as setup:
        wait_until(lambda: sum(frame.detail for frame, _ in setup.frames) >= 5, 10, "details")
        status = setup.status()
    assert (status.width, status.height) == (640, 480)
    for frame, worth in setup.frames[20:]:
        picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == ((480, 640, 3) if frame.detail else (120, 160, 3))
        assert (frame.width, frame.height) == (640, 480)
        assert worth == ("detail" if frame.detail else "motion")
    times = [frame.captured_at_ms for frame, _ in setup.frames]
    assert times == sorted(times)


def test_without_the_other_input_frames_still_come() -> None:
    def open_capture(source: Input, url: str) -> Live:
        if "main" in url:
            raise CameraError("no main stream")
        return Live(10_000)

    with Setup(open_capture, MAIN) as setup:
        wait_until(lambda: len(setup.frames) >= 10, 10, "frames")
        assert setup.status().reason == "no main stream"
    assert not any(frame.detail for frame, _ in setup.frames)
    assert {(frame.width, frame.height) for frame, _ in setup.frames} == {(320, 240)}


def test_changes_apply_while_it_runs() -> None:
    with Setup(lambda source, url: Live(10_000)) as setup:
        wait_until(lambda: len(setup.frames) >= 3, 10, "frames")
        setup.camera.take_over(replace(SETTINGS, masks=(((0, 0), (1, 0), (1, 1), (0, 1)),)), 1)
        setup.camera.change(Budget(camera="gate", detail_fps=0))
        time.sleep(0.1)
        seen = len(setup.frames)
        wait_until(lambda: len(setup.frames) >= seen + 10, 10, "frames")
    for frame, _ in setup.frames[seen:]:
        assert cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR).max() < 8
        assert not frame.detail


def test_what_the_console_says_of_a_camera_holds_at_once_and_a_budget_goes_on() -> None:
    with Setup(lambda source, url: Live(10_000)) as setup:
        setup.camera.change(Budget(camera="gate", detail_fps=0))
        setup.camera.take_over(replace(SETTINGS, height=60), 5)
        time.sleep(0.1)
        seen = len(setup.frames)
        wait_until(lambda: len(setup.frames) >= seen + 5, 10, "frames")
    for frame, _ in setup.frames[seen:]:
        assert cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR).shape[0] == 60
        assert not frame.detail
        assert frame.session == 5
    assert setup.camera.next_index > setup.frames[-1][0].index


def shots_of(count: int, step_ms: int = 100) -> Iterator[Shot]:
    for i in range(count):
        yield Shot(1000 + i * step_ms, 0, 0, i == count - 1, lambda i=i: moving_square(i))  # type: ignore[misc]


def test_a_recording_s_last_picture_is_sent_even_when_nothing_moves() -> None:
    pipeline = Pipeline(3, SETTINGS)
    still = [Shot(s.captured_at_ms, 0, 0, s.last, lambda: moving_square(0)) for s in shots_of(20)]
    made = [pipeline.take(shot, replace(SETTINGS, gate=True)) for shot in still]
    sent = [frame for item in made if item is not None for frame in item[:1]]
    assert [(frame.index, frame.last) for frame in sent] == [(0, False), (19, True)]
    assert all(frame.session == 3 for frame in sent)


def test_pictures_that_are_not_due_are_not_decoded() -> None:
    decoded: list[int] = []
    slow, pipeline = replace(SETTINGS, fps=2), Pipeline(1, SETTINGS)
    for i in range(100):
        shot = Shot(1000 + 40 * i, 0, 0, False, lambda i=i: decoded.append(i) or moving_square(i))  # type: ignore
        pipeline.take(shot, slow)
    assert len(decoded) == 8
