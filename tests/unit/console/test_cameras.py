"""Cameras in the console: added, adopted, changed and removed, and what agent and jobs are told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from msgspec.structs import replace

from bus.consuming import Record
from bus.errors import BusError
from console.changes import ConflictError, NoObjectError
from console.parts import Parts
from console.rights import ForbiddenError, Who
from console.store.objects import ObjectKey
from console.wiring import Place, build
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Camera, Input, Objects, Zone, ZoneEntry
from contracts.config_file import parse
from contracts.controls import Control, EdgeControl, ProbeCamera, RunCamera, SetCamera, StopCamera
from contracts.edge_messages import CameraProbe
from contracts.errors import ConfigError
from contracts.slots import slots
from tests.console_process import CONFIG

ADA = Who("ada", "administrator")
PORCH = ObjectKey("camera", "porch", "")
GATE = ObjectKey("camera", "gate", "")
SPEC = Camera(inputs=(Input(url="rtsp://viewer:{PORCH_PASSWORD}@porch/1"),), friendly_name="Porch")
OWNERS = {"gate": "box", "hall": "bridge"}
TRIANGLE = Zone(coordinates=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)))


@pytest.fixture
def parts(tmp_path: Path, database: str) -> Iterator[Parts]:
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(parse(CONFIG), place, iter(range(1_000, 10**9)).__next__)
    parts.store.open()
    yield parts
    parts.store.close()


def told(parts: Parts) -> tuple[list[Control], list[EdgeControl]]:
    """What waits for the jobs and for the agent."""
    waiting = parts.store.answers.unsent()
    jobs = [decode(one.value, Control) for one in waiting if one.topic == topics.CONTROLS]
    return jobs, [decode(one.value, EdgeControl) for one in waiting if one.topic == topics.EDGE_CONTROLS]


def test_an_added_camera_is_told_whole_to_its_agent_and_without_inputs_to_the_jobs(parts: Parts) -> None:
    heard: list[set[str]] = []
    parts.changes.listen(lambda config: heard.append(set(config.cameras)))
    view = parts.changes.put(ADA, PORCH, SPEC, expected=0)
    assert (view.origin, view.version) == ("console", 1)
    (job,), (edge,) = told(parts)
    in_force = slots(parts.changes.config())
    assert len(set(in_force.values())) == 3
    placed = replace(SPEC, slot=in_force["porch"])
    assert edge.change == RunCamera(camera="porch", spec=placed, session=edge.change.session)
    assert edge.change.session == job.version > 0
    assert job.change == SetCamera(camera="porch", spec=replace(placed, inputs=()))
    assert heard == [{"gate", "hall"}, {"gate", "hall", "porch"}]


def test_a_camera_goes_to_another_agent_in_a_session_above_all_of_the_one_before(parts: Parts) -> None:
    for agent in ("box", "bridge"):
        parts.changes.put_all(
            ADA, [(ObjectKey("camera", name, ""), replace(SPEC, agent=agent)) for name in ("gate", "hall")], note=""
        )
    moved = [one.change for one in told(parts)[1] if one.change.camera == "gate"]
    assert [one.spec.agent for one in moved if isinstance(one, RunCamera)] == ["box", "bridge"]
    assert moved[0].session < moved[1].session
    with pytest.raises(ConfigError, match=r"cameras\.gate\.agent: is missing: the site has several"):
        parts.changes.put_all(
            ADA, [(ObjectKey("camera", "gate", ""), SPEC), (PORCH, replace(SPEC, agent="b"))], note=""
        )


def test_a_camera_of_the_file_is_adopted_before_it_is_changed_and_keeps_zones_and_slot(parts: Parts) -> None:
    with pytest.raises(ConflictError, match="from the file: adopt it first"):
        parts.changes.put(ADA, GATE, SPEC)
    slot = slots(parts.changes.config())["gate"]
    parts.changes.adopt(ADA, GATE)
    parts.changes.put(ADA, GATE, SPEC)
    gate = parts.changes.config().cameras["gate"]
    assert (gate.friendly_name, set(gate.zones), gate.slot) == ("Porch", {"yard"}, slot)
    parts.changes.undo(ADA, GATE)
    assert parts.changes.config().cameras["gate"].friendly_name == ""


def test_a_removed_camera_takes_its_zones_along_and_its_agent_stops(parts: Parts) -> None:
    zone = ObjectKey("zone", "porch", "step")
    parts.changes.put(ADA, PORCH, SPEC)
    parts.changes.put(ADA, zone, TRIANGLE)
    parts.changes.remove(ADA, PORCH)
    assert "porch" not in parts.changes.config().cameras
    assert told(parts)[1][-1].change == StopCamera(camera="porch")
    parts.changes.put(ADA, PORCH, SPEC)
    assert parts.changes.config().cameras["porch"].zones == {}
    with pytest.raises(NoObjectError):
        parts.changes.view(ADA, zone)


def test_a_camera_that_a_rule_names_stays(parts: Parts) -> None:
    parts.changes.put(ADA, PORCH, SPEC)
    parts.changes.put(ADA, ObjectKey("zone", "porch", "step"), TRIANGLE)
    parts.changes.put(ADA, ObjectKey("rule", "", "step"), ZoneEntry(zone="step", cameras=("porch",)))
    with pytest.raises(ConfigError, match=r"rules\.step\.cameras\[0\]: there is no camera `porch`"):
        parts.changes.remove(ADA, PORCH)
    assert "porch" in parts.changes.config().cameras


@pytest.mark.parametrize(
    ("key", "spec", "words"),
    [
        (PORCH, replace(SPEC, inputs=(Input(url="rtsp://viewer:plain@porch/1"),)), r"write \{PORCH_PASSWORD\} in its"),
        (PORCH, replace(SPEC, inputs=(Input(url="http://porch/v?password=plain"),)), "which must not travel"),
        (PORCH, replace(SPEC, inputs=()), "needs the role"),
        (PORCH, replace(SPEC, objects=Objects(track=("unicorn",))), "is none of"),
        (ObjectKey("camera", "Über", ""), SPEC, "a name has"),
    ],
)
def test_what_can_t_be_meant_is_refused_and_nothing_is_sent(
    parts: Parts, key: ObjectKey, spec: Camera, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        parts.changes.put(ADA, key, spec)
    assert told(parts) == ([], [])


def test_addresses_are_for_those_who_may_configure(parts: Parts) -> None:
    vera, hal = Who("vera", "viewer"), Who("hal", "supervisor", frozenset({"hall"}))
    assert not any(view.kind == "camera" for view in parts.changes.views(vera))
    assert [view.camera for view in parts.changes.views(hal) if view.kind == "camera"] == ["hall"]
    for who in (vera, hal):
        with pytest.raises(ForbiddenError):
            parts.changes.put(who, PORCH, SPEC)
        with pytest.raises(ForbiddenError):
            parts.probes.ask(who, SPEC.inputs[0])
    with pytest.raises(ConfigError, match="must not travel"):
        parts.probes.ask(ADA, Input(url="rtsp://viewer:plain@porch/1"))


def test_of_several_agents_one_is_asked_to_open_an_address(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = [(ObjectKey("camera", name, ""), replace(SPEC, agent=agent)) for name, agent in OWNERS.items()]
    parts.changes.put_all(ADA, cameras, note="")
    monkeypatch.setattr("console.probes.Reader", lambda *_: Answers(parts))
    for camera, agent, asked in (("gate", "", "box"), ("gate", "bridge", "bridge"), ("porch", "box", "box")):
        assert parts.probes.ask(ADA, SPEC.inputs[0], camera, agent).agent == asked
    with pytest.raises(ConfigError, match=r"cameras\.porch\.agent: is missing: one of box, bridge is to open it"):
        parts.probes.ask(ADA, SPEC.inputs[0], "porch")


class Answers:
    """Where answers are read: there is one of whoever was asked last."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, timeout_s: float) -> list[Record]:
        asked = told(self._parts)[1][-1].change
        assert isinstance(asked, ProbeCamera)
        seen = CameraProbe(site="home", id=asked.id, agent=asked.agent, at_ms=1, took_s=1.0)
        return [Record(topics.CAMERA_PROBES, 0, 0, 0, None, encode(seen))]


def test_without_a_broker_the_answer_says_so(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise BusError("nobody there")

    monkeypatch.setattr("console.probes.Reader", away)
    assert "the broker is away: nobody there" in parts.probes.ask(ADA, SPEC.inputs[0]).error
