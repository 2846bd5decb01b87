"""The roster: the file's cameras, what controls made of them, and that a start without a broker knows both."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.config import Camera, Input
from contracts.config_file import parse
from contracts.controls import RunCamera, StopCamera
from edge.roster import Roster

FILE = parse("cameras: {gate: {inputs: [{url: gate.mp4}]}, hall: {inputs: [{url: hall.mp4}]}}")
PORCH = Camera(inputs=(Input(url="rtsp://{USER}:{PASSWORD}@porch/1"),), slot=7)


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(FILE, tmp_path / "cameras", "box")


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
    later = Roster(FILE, tmp_path / "cameras", "box")
    later.load()
    assert later.config == roster.config


TWO = parse("""
edge: {local_agents: [box, bridge]}
cameras:
  gate: {inputs: [{url: gate.mp4}], agent: box}
  hall: {inputs: [{url: hall.mp4}], agent: bridge}
""")


def test_an_agent_reads_its_own_and_all_count_slots_alike(tmp_path: Path) -> None:
    box, bridge, another = (Roster(TWO, None, name) for name in ("box", "bridge", "another"))
    assert [list(one.own()) for one in (box, bridge, another)] == [["gate"], ["hall"], []]
    assert list(Roster(TWO, None, None).own()) == ["gate", "hall"]  # a replay's
    assert box.slots() == bridge.slots() == {"gate": 0, "hall": 1}
    moved = RunCamera(camera="gate", spec=replace(TWO.cameras["gate"], agent="bridge"))
    assert (box.take(moved), bridge.take(moved)) == (True, True)
    assert (list(box.own()), list(bridge.own())) == ([], ["gate", "hall"])


def test_who_is_read_keeps_its_slot_but_for_the_word_of_its_own_spec(roster: Roster) -> None:
    held = {"gate": 3, "hall": 5}
    roster.take(RunCamera(camera="porch", spec=PORCH))
    assert roster.slots(held) == held | {"porch": 7}
    roster.take(RunCamera(camera="gate", spec=replace(PORCH, slot=4)))
    assert roster.slots(held)["gate"] == 4


def test_a_site_s_only_agent_reads_all_whatever_it_is_called_unless_it_is_named() -> None:
    assert list(Roster(FILE, None, "whoever").own()) == ["gate", "hall"]
    named = replace(FILE, edge=replace(FILE.edge, agents=("box",)))
    assert [list(Roster(named, None, name).own()) for name in ("box", "agent-0")] == [["gate", "hall"], []]


def test_what_the_file_says_later_lies_under_what_controls_said(roster: Roster) -> None:
    roster.take(StopCamera(camera="gate"))
    roster.take_file(TWO)
    assert (list(roster.own()), list(roster.config.cameras)) == ([], ["hall"])


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
