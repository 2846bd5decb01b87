"""Simulates the sites of docs/scaling.md, some minutes: `python -m tests.bench.simulate` (vedette/simulated.json)."""

from __future__ import annotations

import sys

import msgspec

from contracts.config.services import TASKS_MAX
from tests.bench.site_queues import OPEN_S, Outcome, Plan, simulate
from vedette import scaling, sizing
from vedette.simulated import FILE, Run, Simulated

SECONDS = {100: (120.0, 60.0), 1_000: (40.0, 20.0), 10_000: (10.0, 5.0)}
"""By cameras: at mean load, and when all move. Less where there is more to average over."""
DIES_AT_S, AFTER_S = 10.0, 60.0
AWAY_S = 30.0
"""Assumed: a pod, a JVM, and a model that is opened."""
CHECKPOINT_S = 5.0
"""As the prod overlay has it."""


def plans() -> dict[str, list[Plan]]:
    """What is simulated, by the load's name."""
    return {
        "mean": [Plan(cameras, seconds) for cameras, (seconds, _) in SECONDS.items()],
        "peak": [Plan(cameras, seconds, bursts=False) for cameras, (_, seconds) in SECONDS.items()],
        "a task manager dies": [_with_fall(cameras) for cameras in SECONDS],
    }


def _with_fall(cameras: int) -> Plan:
    return Plan(
        cameras,
        DIES_AT_S + AWAY_S + AFTER_S,
        dies_at_s=DIES_AT_S,
        away_s=AWAY_S,
        checkpoint_s=CHECKPOINT_S,
        kept_s=sizing.need(cameras).frames_kept_min * 60,
    )


def run_of(load: str, plan: Plan, outcome: Outcome) -> Run:
    """The outcome as the page's file has it."""
    return Run(
        cameras=plan.cameras,
        seconds=plan.seconds,
        load=load,
        frames_s=round(outcome.frames / plan.seconds, 1),
        decided_s=round(outcome.decided / plan.seconds, 1),
        p50_s=round(outcome.p50_s, 4),
        p95_s=round(outcome.p95_s, 4),
        busiest={name: round(share, 3) for name, share in outcome.busiest.items()},
        cameras_of_fullest=outcome.cameras_of_fullest,
        away_s=plan.away_s,
        caught_up_s=None if outcome.caught_up_s is None else round(outcome.caught_up_s, 1),
        too_old=outcome.too_old,
    )


def made_with() -> dict[str, float]:
    """The figures that an outcome follows from."""
    bulk = scaling.COSTS["history"].bulk
    assert bulk is not None
    return {
        "broker_mbit": scaling.BROKER_MBIT,
        "detect_s": scaling.DETECT_S,
        "decide_s": scaling.DECIDE_S,
        "evidence_s": scaling.EVIDENCE_S,
        "history_alone_s": scaling.COSTS["history"].a_frame_s,
        "history_bulk_s": bulk.a_frame_s,
        "history_awake": bulk.awake,
        "tasks_max": TASKS_MAX,
        "frame_bytes": sizing.FRAME,
        "replicas": sizing.REPLICAS,
        "fps": sizing.FPS,
        "open": sizing.OPEN,
        "open_s": OPEN_S,
        "busy": sizing.BUSY,
        "alerts_per_hour": sizing.ALERTS_PER_HOUR,
        "frames_per_hour": sizing.FRAMES.records_per_hour,
    }


def main() -> int:
    """Simulate them all."""
    runs = []
    for load, wanted in plans().items():
        for plan in wanted:
            runs.append(run_of(load, plan, simulate(plan)))
            print(f"{load}, {plan.cameras:,} cameras: {runs[-1]}", flush=True)
    found = Simulated(made_with=made_with(), runs=tuple(runs))
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
