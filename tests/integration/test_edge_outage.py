"""The broker goes away and comes back, the agent is killed meanwhile: every accepted frame arrives, none twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest

from bus.admin import create_topics
from contracts.topics import specs
from edge.spool import Spool
from tests.edge_tools import (
    RunningAgent,
    as_decide_takes_them,
    frames_of,
    statuses_of,
    wait_until,
    write_clip,
)
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SITE = "outage"
CAMERAS = ("east", "west")
OUTAGE_S = 15


def write_config(folder: Path) -> Path:
    """Two looping cameras without a gate, so that every picture at 10 a second is accepted."""
    clip = str(write_clip(folder / "clip.avi", 50))
    cameras = {
        name: {"inputs": [{"url": clip, "loop": True}], "motion": {"enabled": False}, "detect": {"fps": 10}}
        for name in CAMERAS
    }
    path = folder / "site.yaml"
    config = {"site": {"name": SITE}, "edge": {"metrics_port": 0, "spool": {"late_fps": 100}}, "cameras": cameras}
    path.write_text(json.dumps(config))
    return path


def left_on_disk(state: Path) -> set[tuple[str, str, tuple[int, int]]]:
    """The frames that wait in the spool of an agent that doesn't run."""
    acks = state / "acks.json"
    places = msgspec.json.decode(acks.read_bytes()) if acks.exists() else {}
    records = Spool(state / "spool", 1 << 40).open()
    return {
        (record.camera, record.lane, record.place)
        for record in records
        if record.place > tuple(places.get(record.lane, {}).get(record.camera, (0, 0)))
    }


def spool_is_empty(bootstrap: str) -> bool:
    """Whether the second agent says that nothing waits any more."""
    last = statuses_of(bootstrap, SITE)[-1]
    return last.session == 2 and last.spool_bytes == 0


def test_frames_survive_a_broker_and_an_agent_that_die(tmp_path: Path) -> None:
    config, state = write_config(tmp_path), tmp_path / "state"
    with Broker(BrokerConfig(tmp_path / "kafka", heap_mb=256)) as broker:
        create_topics(broker.bootstrap, specs(SITE, 2))
        with RunningAgent(config, broker.bootstrap, state) as agent:
            wait_until(lambda: len(frames_of(broker.bootstrap, SITE)) > 40, 30, "frames before the outage")
            broker.kill()
            time.sleep(OUTAGE_S / 2)
            agent.kill()
        accepted = left_on_disk(state)
        assert {lane for _, lane, _ in accepted} == {"live", "late"}
        with RunningAgent(config, broker.bootstrap, state) as agent:
            time.sleep(OUTAGE_S / 2)
            broker.start()
            back_s = time.monotonic()
            wait_until(lambda: any(f.session == 2 for f in frames_of(broker.bootstrap, SITE)), 30, "live frames again")
            live_after_s = time.monotonic() - back_s
            wait_until(lambda: spool_is_empty(broker.bootstrap), 60, "the spool runs empty")
            time.sleep(1)
            agent.end()
        assert left_on_disk(state) == set()
        lanes = {lane: frames_of(broker.bootstrap, SITE, lane) for lane in ("live", "late")}
        status = {s.camera: s for s in statuses_of(broker.bootstrap, SITE)}

    assert live_after_s < 15  # live frames don't wait for the spool
    for camera in CAMERAS:
        taken = {
            lane: as_decide_takes_them([f for f in frames if f.camera == camera]) for lane, frames in lanes.items()
        }
        # Nothing that the killed agent had accepted is missing, and it is in the lane that it was accepted for.
        for lane, places in taken.items():
            mine = {place for c, record_lane, place in accepted if (c, record_lane) == (camera, lane)}
            assert mine <= set(places)
        # No frame reaches the rules in both lanes.
        assert not set(taken["live"]) & set(taken["late"])
        # At 10 pictures a second of a source with 10, each index was accepted but for those that jitter skipped.
        both = sorted(taken["live"] + taken["late"])
        for session in (1, 2):
            indices = [index for s, index in both if s == session]
            assert indices[0] == 0
            assert len(indices) > 0.85 * (indices[-1] + 1)
        assert status[camera].counters.dropped == {}
        assert status[camera].counters.spooled > 10
