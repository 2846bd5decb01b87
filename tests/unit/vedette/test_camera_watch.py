"""What is said of the cameras after a start."""

from __future__ import annotations

from contracts.edge_messages import EdgeStatus
from contracts.fields import Lane
from contracts.messages import FrameRef, FrameTracks
from vedette.camera_watch import CameraWatch

T0_MS = 1_767_225_600_000


def tracks(camera: str, at_ms: int, lane: Lane = "live") -> FrameTracks:
    return FrameTracks(
        site="s",
        camera=camera,
        lane=lane,
        session=1,
        index=0,
        captured_at_ms=at_ms,
        interval_ms=0,
        width=640,
        height=480,
        ref=FrameRef("frames.s", 0, 0),
        model="m@1",
        tracks=(),
    )


def status(camera: str, state: str, at_ms: int = T0_MS, reason: str = "") -> EdgeStatus:
    return EdgeStatus(site="s", camera=camera, agent="a", session=1, at_ms=at_ms, state=state, reason=reason)


def test_each_camera_is_told_once_and_then_that_all_are_there() -> None:
    said: list[str] = []
    watch = CameraWatch(("gate", "yard"), T0_MS, said.append, lambda: said.append("all"))
    watch.tracked(tracks("gate", T0_MS - 1), T0_MS)  # what the last run left: nothing is known of the camera now
    watch.tracked(tracks("old", T0_MS), T0_MS)
    assert said == []
    for camera in ("gate", "gate", "yard", "yard"):
        watch.tracked(tracks(camera, T0_MS + 5), T0_MS + 100)
    assert said == ["gate: pictures come, and are looked at", "yard: pictures come, and are looked at", "all"]


def test_all_is_well_only_once_what_was_sent_meanwhile_is_worked_off() -> None:
    """The jobs start 40 s after the agent, and do in 0.25 s what it sends in a second."""
    said: list[str] = []
    watch = CameraWatch(("gate", "yard"), T0_MS, said.append, lambda: said.append("all"))
    for second in range(60):
        now_ms = T0_MS + 40_000 + second * 250
        for camera in ("gate", "yard"):
            watch.tracked(tracks(camera, T0_MS + second * 1000), now_ms)
    assert said[2:] == ["catching up: 40 s behind", "catching up: 26 s behind", "all"]


def test_one_camera_that_is_behind_is_enough_and_a_spool_does_not_count() -> None:
    said: list[str] = []
    watch = CameraWatch(("gate", "yard"), T0_MS, said.append, lambda: said.append("all"))
    now_ms = T0_MS + 30_000
    watch.tracked(tracks("gate", T0_MS + 29_500), now_ms)
    watch.tracked(tracks("yard", T0_MS + 20_000), now_ms)
    watch.tracked(tracks("gate", T0_MS + 29_900), now_ms)
    assert said[2:] == ["catching up: 10 s behind"]
    watch.tracked(tracks("yard", T0_MS + 28_100), now_ms)
    watch.tracked(tracks("gate", T0_MS + 1, lane="late"), now_ms)
    assert said[3:] == ["all"]


def test_a_camera_that_delivers_nothing_is_told_with_its_reason() -> None:
    said: list[str] = []
    watch = CameraWatch(("gate",), T0_MS, said.append, lambda: None)
    for one in (
        status("gate", "down", T0_MS - 1, "of the last run"),
        status("gate", "starting"),
        status("gate", "down", reason="can't be opened"),
        status("gate", "down", reason="can't be opened"),
        status("gate", "up"),
        status("gate", "up"),
        status("gate", "down"),
    ):
        watch.told(one)
    assert said == [
        "gate: no pictures; can't be opened",
        "gate: pictures again",
        "gate: no pictures; no reason is known",
    ]
