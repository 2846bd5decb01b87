"""The roster: the file's cameras, what controls made of them, and that a start without a broker knows both."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.config import Camera, Input
from contracts.config_file import parse
from contracts.controls import RunCamera, StopCamera
from edge.roster import Roster

FILE = parse("cameras: {gate: {inputs: [{url: gate.mp4}]}, hall: {inputs: [{url: hall.mp4}]}}")
PORCH = Camera(inputs=(Input(url="rtsp://{USER}:{PASSWORD}@porch/1"),), slot=7)


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(FILE, tmp_path / "cameras")


def test_cameras_come_change_and_go(roster: Roster) -> None:
    assert roster.take(RunCamera(camera="porch", spec=PORCH))
    assert not roster.take(RunCamera(camera="porch", spec=PORCH))  # the topic is read from its beginning each time
    assert roster.take(StopCamera(camera="gate"))
    assert not roster.take(StopCamera(camera="nobody"))
    assert set(roster.config.cameras) == {"hall", "porch"}
    assert roster.slots()["porch"] == 7


def test_a_later_start_knows_what_was_said(roster: Roster, tmp_path: Path) -> None:
    roster.take(RunCamera(camera="porch", spec=PORCH))
    roster.take(StopCamera(camera="gate"))
    later = Roster(FILE, tmp_path / "cameras")
    later.load()
    assert later.config == roster.config


def test_a_file_that_can_t_be_read_is_left_to_the_topic(roster: Roster, tmp_path: Path) -> None:
    (tmp_path / "cameras").write_bytes(b"\xff torn")
    roster.load()
    assert roster.config == FILE


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (Camera(inputs=()), "one input needs the role `detect`"),
        (Camera(inputs=(Input(url="rtsp://viewer:plain@porch/1"),)), "holds a password"),
        (Camera(inputs=(Input(url="http://porch/video?user=a&pwd=plain"),)), "holds a password"),
    ],
)
def test_what_makes_no_sense_is_refused(roster: Roster, spec: Camera, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        roster.take(RunCamera(camera="porch", spec=spec))
    assert roster.config == FILE
