"""What the decide job does with tracks that ended: reports of full blocks, metrics, state by the part of the day."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from contracts import metrics as names
from contracts.codec import decode
from contracts.config import Drift
from contracts.drift import DriftReport
from contracts.metrics import Metrics
from stream.jobs.drift import DriftKeeper
from stream.tracking import TrackState
from tests.golden.samples import SAMPLES

DAY_MS = 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


class FlinkState(dict[int, bytes]):
    """Flink's map state, in memory."""

    put = dict.__setitem__

    def get_map_state(self, _descriptor: Any) -> FlinkState:
        return self


def track(confidence: float) -> TrackState:
    return TrackState(
        track_id=1,
        first_seen_at_ms=0,
        last_seen_at_ms=0,
        hits=4,
        confirmed=True,
        confidence=0.1,
        moved_at_ms=0,
        anchor=(0.0, 0.0),
        motion=(),
        votes={"person": 4 * confidence},
    )


class Job:
    """A keeper with blocks of two tracks, eight of which are a reference."""

    def __init__(self) -> None:
        self.registry, self.states = CollectorRegistry(), FlinkState()
        drift = Drift(tracks=2, blocks=8, apart_s=0, odds=1.3)
        self._keeper = DriftKeeper(drift, Metrics(self.registry), self.states)

    def ended(self, *confidences: float, at_ms: int = NOON_MS, lane: str = "live") -> list[DriftReport]:
        frame = msgspec.structs.replace(SAMPLES["frame_detections"], captured_at_ms=at_ms, lane=lane)
        told = self._keeper.ended(frame, [track(one) for one in confidences])
        return [decode(record[1], DriftReport) for _, record in told]


def test_a_full_block_is_told_and_so_is_one_that_differs() -> None:
    job = Job()
    assert job.ended() == []
    assert job.ended(0.7) == []
    (first,) = job.ended(0.7)
    assert (first.camera, first.part, first.learnt, first.wanted, first.signals) == ("gate", 2, 1, 8, ())
    learnt = job.ended(*[0.7, 0.72, 0.71, 0.7, 0.69, 0.65, 0.74] * 2)
    assert [one.learnt for one in learnt] == [2, 3, 4, 5, 6, 7, 8]
    *_, last = job.ended(0.2, 0.2, 0.2, 0.2)
    assert (last.signals[0].of, last.signals[0].drifted) == ("confidence", True)
    labels = {"camera": "gate", "day_part": "afternoon"}
    assert job.registry.get_sample_value(names.DRIFTED.name, labels | {"of": "confidence"}) == 1
    assert job.registry.get_sample_value(names.DRIFT_LEARNT.name, labels) == 1


def test_parts_of_the_day_are_apart_and_late_frames_say_nothing() -> None:
    job = Job()
    job.ended(0.7, at_ms=NOON_MS)
    assert job.ended(0.7, at_ms=NOON_MS + DAY_MS // 4) == []
    assert sorted(job.states) == [2, 3]
    assert job.ended(0.7, lane="late") == []
