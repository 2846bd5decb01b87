"""The broker goes away and comes back, and the agent is killed meanwhile: what it had accepted, and what arrived."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bus.admin import create_topics
from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame
from contracts.topics import specs
from edge.spool import Spool
from tests.edge_tools import RunningAgent, as_decide_takes_them, frames_of, statuses_of, write_clip
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

SITE = "outage"
CAMERAS = ("east", "west")
LANES = ("live", "late")
Place = tuple[int, int]


@dataclass(frozen=True)
class Outage:
    """`accepted`: the frames (camera, lane, place) that the killed agent left unacknowledged; `left`: at the end."""

    accepted: set[tuple[str, str, Place]]
    left: set[tuple[str, str, Place]]
    frames: dict[str, list[Frame]]
    last_status: dict[str, EdgeStatus]
    live_after_s: float
    drained_after_s: float

    def taken(self, camera: str, lane: str) -> list[Place]:
        """What reaches the rules of a camera's lane, in order."""
        return as_decide_takes_them([frame for frame in self.frames[lane] if frame.camera == camera])

    @property
    def missing(self) -> set[tuple[str, str, Place]]:
        """Accepted frames that don't reach the rules in the lane that they were accepted for."""
        return {one for one in self.accepted if one[2] not in set(self.taken(one[0], one[1]))}

    @property
    def twice(self) -> set[tuple[str, Place]]:
        """Frames that reach the rules in both lanes."""
        return {
            (camera, place)
            for camera in CAMERAS
            for place in set(self.taken(camera, "live")) & set(self.taken(camera, "late"))
        }


def outage(folder: Path, outage_s: float) -> Outage:
    """Broker away for `outage_s`; half-way kill -9 of the agent, which is started again at once."""
    config, state = write_config(folder), folder / "state"
    with Broker(BrokerConfig(folder / "kafka", heap_mb=256)) as broker:
        create_topics(broker.bootstrap, specs(SITE, 2))
        with RunningAgent(config, broker.bootstrap, state) as agent:
            wait_until(lambda: len(frames_of(broker.bootstrap, SITE)) > 40, 30, "frames before the outage")
            before = max(frame.session for frame in frames_of(broker.bootstrap, SITE))
            broker.kill()
            time.sleep(outage_s / 2)
            agent.kill()
        accepted = left_on_disk(state)
        with RunningAgent(config, broker.bootstrap, state) as agent:
            time.sleep(outage_s / 2)
            broker.start()
            back_s = time.monotonic()
            wait_until(
                lambda: any(frame.session > before for frame in frames_of(broker.bootstrap, SITE)),
                30,
                "live frames again",
            )
            live_after_s = time.monotonic() - back_s
            wait_until(lambda: spool_is_empty(broker.bootstrap, before), 60 + outage_s, "the spool runs empty")
            drained_after_s = time.monotonic() - back_s
            time.sleep(1)
            agent.end()
        frames = {lane: frames_of(broker.bootstrap, SITE, lane) for lane in LANES}
        status = {s.camera: s for s in statuses_of(broker.bootstrap, SITE)}
    return Outage(accepted, left_on_disk(state), frames, status, live_after_s, drained_after_s)


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


def spool_is_empty(bootstrap: str, before: int) -> bool:
    """Whether the agent of a session after `before` says that nothing waits any more."""
    last = statuses_of(bootstrap, SITE)[-1]
    return last.session > before and last.spool_bytes == 0
