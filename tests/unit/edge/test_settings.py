"""What a camera does: the file's values, and changes from outside that are checked before they count."""

import pytest

from contracts.config_file import parse
from contracts.controls import Budget
from edge.settings import CameraSettings, changed, input_of, settings_of

CONFIG = parse(
    """
site: {name: yard}
detect: {fps: 8}
cameras:
  gate:
    inputs:
      - {url: "rtsp://host/sub", roles: [detect]}
      - {url: "rtsp://host/main", roles: [detail]}
    detect: {height: 360}
    motion: {linger_s: 7}
    masks: {street: {coordinates: [[0, 0], [1, 0], [1, 0.2]]}}
  hall: {inputs: [{url: hall.mp4}], slot: 5}
"""
)


@pytest.fixture
def gate() -> CameraSettings:
    return settings_of(CONFIG, "gate")


def test_settings_come_from_camera_file_and_default(gate: CameraSettings) -> None:
    assert (gate.height, gate.fps, gate.jpeg_quality) == (360, 8, 85)
    assert (gate.linger_s, gate.gate, gate.motion_area) == (7, True, 0.0005)
    assert gate.masks == (((0, 0), (1, 0), (1, 0.2)),)
    assert gate.site == "yard"


def test_inputs_are_found_by_role() -> None:
    detail = input_of(CONFIG, "gate", "detail")
    assert detail is not None
    assert detail.url == "rtsp://host/main"
    assert input_of(CONFIG, "hall", "detect") is input_of(CONFIG, "hall", "detail")


def test_a_budget_changes_what_it_names_and_gives_the_rest_back(gate: CameraSettings) -> None:
    slow = changed(gate, Budget(camera="gate", fps=2, detail_fps=0))
    assert (slow.fps, slow.detail_fps, slow.heartbeat_s) == (2, 0, 5)
    assert changed(gate, Budget(camera="gate", detail_fps=1)).fps == gate.fps


def test_a_share_is_of_the_camera_s_own_rates_and_leaves_the_rest(gate: CameraSettings) -> None:
    half = changed(gate, Budget(camera="gate", share=0.5))
    assert (half.fps, half.detail_fps, half.heartbeat_s) == (gate.fps / 2, gate.detail_fps / 2, gate.heartbeat_s)
    assert changed(gate, Budget(camera="gate", share=0.75)).fps == 0.75 * gate.fps
    assert changed(gate, Budget(camera="gate")) == gate


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Budget(camera="gate", fps=0), "fps"),  # a camera is switched off in the file, not by a rate
        (Budget(camera="gate", fps=float("nan")), "fps"),  # not a number
        (Budget(camera="gate", detail_fps=-1), "detail_fps"),  # below zero
        (Budget(camera="gate", share=0), "share"),  # a camera is not switched off by a rate
        (Budget(camera="gate", heartbeat_s=float("inf")), "heartbeat_s"),  # endless
        (Budget(camera="gate", motion_area=1.5), "motion_area"),  # more than the picture
    ],
)
def test_nonsense_is_refused(gate: CameraSettings, change: Budget, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        changed(gate, change)
