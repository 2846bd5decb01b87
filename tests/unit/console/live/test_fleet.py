"""Which agents are there and who reads which camera, by their own words; and what Prometheus is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from console.live.figures import FleetFigures
from console.live.fleet import MOST, READING_MS, Fleet, Heard
from contracts.config_file import parse
from contracts.edge_messages import EdgeStatus

AT_MS = 1_767_571_200_000
CONFIG = parse("""
edge: {agents: [gatehouse, quay], local_agents: [spare]}
cameras:
  gate: {inputs: [{url: gate.mp4}], agent: gatehouse}
  hall: {inputs: [{url: hall.mp4}], agent: quay}
  attic: {inputs: [{url: attic.mp4}], agent: quay, enabled: false}
""")


def status(camera: str = "gate", agent: str = "gatehouse", **more: Any) -> EdgeStatus:
    return EdgeStatus(site="home", camera=camera, agent=agent, session=1, at_ms=1, state="up", **more)


@pytest.fixture
def fleet() -> Fleet:
    """The gatehouse reads both cameras since two seconds, and the quay the hall."""
    fleet = Fleet("home")
    for camera in ("gate", "hall"):
        fleet.take(status(camera, version="1.4", spool_bytes=7), AT_MS - 2000)
    fleet.take(status("hall", "quay", version="1.5"), AT_MS)
    return fleet


def test_who_reads_a_camera_says_so_once_a_second(fleet: Fleet) -> None:
    assert fleet.readers(AT_MS) == {"gate": ("gatehouse",), "hall": ("gatehouse", "quay")}
    later_ms = AT_MS - 2000 + READING_MS
    assert fleet.readers(later_ms) == {"hall": ("quay",)}
    assert fleet.agents(later_ms)["gatehouse"] == Heard(at_ms=AT_MS - 2000, version="1.4", spool_bytes=7, cameras=())


@pytest.mark.parametrize(
    "word", [replace(status(), site="elsewhere"), status(agent="no\x1bname"), status(agent=""), status(agent="x" * 200)]
)
def test_another_site_s_words_and_names_that_are_none_don_t_count(word: EdgeStatus) -> None:
    fleet = Fleet("home")
    fleet.take(word, AT_MS)
    assert fleet.agents(AT_MS) == {}


def test_a_version_that_is_no_plain_text_is_not_repeated(fleet: Fleet) -> None:
    fleet.take(status(version="1.4\x1b[2J"), AT_MS)
    assert fleet.agents(AT_MS)["gatehouse"].version == "?"


def test_who_calls_itself_by_many_names_is_remembered_by_some(fleet: Fleet) -> None:
    for number in range(2 * MOST):
        fleet.take(status(agent=f"agent-{number}"), AT_MS + 1 + number)
    assert len(fleet.agents(AT_MS)) == MOST


def test_prometheus_is_told_who_is_silent_old_and_reads_what_another_reads(fleet: Fleet) -> None:
    registry = CollectorRegistry()
    registry.register(FleetFigures(fleet, lambda: CONFIG, lambda: {"quay": AT_MS + 5000}, "1.5", lambda: AT_MS))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"vedette_{name}", labels)

    assert value("agent_report_timestamp_seconds", agent="gatehouse") == AT_MS / 1000 - 2
    assert value("agent_report_timestamp_seconds", agent="spare") is None  # it has no camera to speak of
    assert value("agent_outdated", agent="gatehouse", version="1.4") == 1
    assert value("agent_outdated", agent="quay", version="1.5") == 0
    assert value("camera_readers", camera="gate", agent="gatehouse") == 1
    assert value("camera_readers", camera="hall", agent="quay") == 2
    assert value("camera_readers", camera="attic", agent="quay") is None  # switched off
    assert value("agent_cameras", agent="gatehouse") == 2
    assert value("agent_spool_bytes", agent="gatehouse") == 7
    assert value("agent_certificate_expires_timestamp_seconds", agent="quay") == AT_MS / 1000 + 5
    silent = CollectorRegistry()
    silent.register(FleetFigures(Fleet("home"), lambda: CONFIG, dict, "1.5", lambda: AT_MS))
    assert silent.get_sample_value("vedette_agent_report_timestamp_seconds", {"agent": "quay"}) == 0
    assert silent.get_sample_value("vedette_camera_readers", {"camera": "gate", "agent": "gatehouse"}) == 0
