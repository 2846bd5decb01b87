"""From what waits to what agents are told, and the whole way round: the camera sends less, and all again afterwards."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from contracts.codec import decode
from contracts.config import Input, Pace
from contracts.controls import Budget, EdgeControl
from contracts.messages import DeadLetter, Frame, FrameDetections, FrameRef
from contracts.metrics import Metrics
from edge import camera as camera_module
from edge.camera import Camera
from edge.controls import ControlFollower
from edge.metrics import CameraMeter
from edge.pipeline import Pipeline
from edge.reader import Ends
from edge.settings import CameraSettings
from edge.source import Shot, Timing
from stream.jobs.pace_keeper import PaceKeeper
from stream.jobs.pacing import PaceState
from tests.builders import solid

T0_MS = 1_767_225_600_000
OVERLOAD_S = 500


def detections(frame: Frame, lane: str = "live") -> FrameDetections:
    """What detect makes of a frame that shows nothing."""
    return FrameDetections(
        site=frame.site, camera=frame.camera, lane=lane, session=frame.session, index=frame.index,
        captured_at_ms=frame.captured_at_ms, detected_at_ms=0, width=32, height=24, detail=False, motion=0.0,
        ref=FrameRef("frames.yard", 0, frame.index), model="m@1", detections=(),
    )  # fmt: skip


def frame_at(captured_at_ms: int) -> Frame:
    return Frame(
        site="yard", camera="gate", session=1, index=0, captured_at_ms=captured_at_ms, width=32, height=24,
        detail=False, motion=0.0, sha256="", jpeg=b"",
    )  # fmt: skip


class Setup:
    """decide's end of the way, with a clock in the hand."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.wall_ms = T0_MS
        self.state = PaceState()
        self.keeper = PaceKeeper(Pace(), Metrics(self.registry), lambda: self.wall_ms)

    def decide(self, frame: Frame, lane: str = "live") -> list[bytes]:
        """The records that its agent is told by."""
        self.state, told = self.keeper.frame(self.state, detections(frame, lane))
        assert all(bytes(row[0]) == b"yard/budget/gate" for _, row in told)  # each replaces the one before
        return [bytes(row[1]) for _, row in told]

    def share(self) -> float | None:
        return self.registry.get_sample_value("vedette_camera_rate_share", {"camera": "gate"})


def test_the_share_is_shown_until_the_camera_is_gone() -> None:
    setup = Setup()
    (told,) = setup.decide(frame_at(T0_MS))
    assert decode(told, EdgeControl).change == Budget(camera="gate", share=1.0)
    assert setup.share() == 1.0
    setup.keeper.gone("gate")
    setup.keeper.gone("gate")  # a tick a second
    assert setup.share() is None


def test_what_was_spooled_says_nothing_of_how_late_the_jobs_are() -> None:
    setup = Setup()
    assert setup.decide(frame_at(T0_MS - 60_000), "late") == []
    assert setup.share() is None


class Gate:
    """A camera of the agent that is handed two pictures a second, and obeys `edge-controls`."""

    SETTINGS = CameraSettings(
        site="yard", camera="gate", fps=2, detail_fps=0, height=24, jpeg_quality=80, heartbeat_s=5, gate=False,
        motion_threshold=16, motion_area=0.0005, linger_s=3,
    )  # fmt: skip

    def __init__(self, monkeypatch: pytest.MonkeyPatch, made: Metrics) -> None:
        takes: list[Callable[[Shot], None]] = []
        monkeypatch.setattr(camera_module, "WatchedReader", lambda name, source, ends, take, again: takes.append(take))
        self.sent: list[Frame] = []
        self.letters: list[DeadLetter] = []
        ends = Ends(
            open_capture=lambda source, url: None, secrets={}, timing=Timing(lambda: 0), chance=random.Random(1)
        )
        camera = Camera(
            self.SETTINGS, (Input(url="rtsp://gate"), None), ends, Pipeline(1, self.SETTINGS),
            lambda frame, _worth: self.sent.append(frame), CameraMeter(made, "gate"),
        )  # fmt: skip
        self._take = takes[0]
        self.controls = ControlFollower(
            site="yard", bootstrap="", apply=camera.change, dead_letter=self.letters.append, now_ms=lambda: 0, made=made
        )

    def second(self, at_ms: int) -> list[Frame]:
        """The frames that it sends of a second's pictures."""
        before = len(self.sent)
        for captured_at_ms in (at_ms, at_ms + 500):
            self._take(Shot(captured_at_ms, 0.0, 0.0, False, lambda: solid(32, 24)))
        return self.sent[before:]

    def sent_in(self, from_s: int, until_s: int) -> int:
        return sum(from_s <= (frame.captured_at_ms - T0_MS) / 1000 < until_s for frame in self.sent)


def test_a_camera_of_which_too_much_waits_is_turned_down_and_up_again_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jobs that do a frame a second, and after a while ten, of a camera that sends two."""
    setup, waiting, decided, told = Setup(), deque[Frame](), list[Frame](), list[float]()
    gate = Gate(monkeypatch, Metrics(CollectorRegistry()))
    for second in range(960):
        setup.wall_ms = T0_MS + 1000 * (second + 1)
        waiting += gate.second(T0_MS + 1000 * second)
        for _ in range(min(len(waiting), 1 if second < OVERLOAD_S else 10)):
            decided.append(waiting.popleft())
            for record in setup.decide(decided[-1]):
                gate.controls.handle(record, 0, len(told))
                told.append(decode(record, EdgeControl).change.share)
    assert told == [1.0, 0.5, 0.25, 0.375, 0.5625, 0.84375, 1.0]
    assert gate.letters == []
    assert gate.sent_in(0, 60) == gate.sent_in(900, 960) == 120
    assert gate.sent_in(OVERLOAD_S - 60, OVERLOAD_S) == 30
    assert decided == gate.sent
    assert all(a.index < b.index for a, b in pairwise(decided))
    assert setup.share() == 1.0
