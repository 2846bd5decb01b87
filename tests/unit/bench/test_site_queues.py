"""The simulated site: on paper where nothing waits, as measured where it was, and what chance and faults add."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import simpy
from msgspec.structs import asdict

from contracts.config_file import parse
from contracts.slots import slots
from tests.bench.simulate import made_with, plans, run_of
from tests.bench.site_queues import Plan, Server, Site, Work, _Frame, simulate
from vedette.manifests import REPLICAS
from vedette.scaling import BROKER_MBIT, COSTS, DECIDE_S, DETECT_S, FRAMES_S, MEASURED, MEASURED_FPS
from vedette.simulated import read
from vedette.sizing import FRAME, need

AT_WORK_S = FRAME * 8e-6 * (REPLICAS + 1) / BROKER_MBIT + DETECT_S + DECIDE_S


def test_where_nothing_waits_latency_is_the_work_alone() -> None:
    assert simulate(Plan(1, 30.0, bursts=False)).p95_s == pytest.approx(AT_WORK_S)


@pytest.mark.parametrize(("cameras", "cores"), MEASURED.items())
def test_cores_are_those_that_were_measured(cameras: int, cores: float) -> None:
    found = simulate(Plan(cameras, 60.0, fps=MEASURED_FPS, bursts=False))
    assert sum(found.cores.values()) == pytest.approx(cores, rel=0.2)


def test_cores_of_many_are_those_on_paper() -> None:
    found = simulate(Plan(100, 120.0))
    frames_s = found.frames / 120
    assert frames_s == pytest.approx(100 * FRAMES_S, rel=0.2)  # as chance has it
    said = {name: cost.cores(100, frames_s / 100) for name, cost in COSTS.items()}
    for name in said.keys() - {"evidence", "history"}:  # of the first there were two or three alerts
        assert found.cores[name] == pytest.approx(said[name], rel=0.1), name
    # At 300 frames a second it is between one by one and in crowds, and costs less than both bounds.
    assert said["history"] / 2 < found.cores["history"] < said["history"]


def test_cameras_find_their_partitions_as_agents_deal_them() -> None:
    cameras = {f"camera-{number}": {"inputs": [{"url": "rtsp://host/x"}]} for number in range(300)}
    partitions = need(300).partitions
    dealt = slots(parse(json.dumps({"kafka": {"partitions": partitions}, "cameras": cameras}))).values()
    by_turns = Counter(Site(simpy.Environment(), Plan(300, 1.0)).partition_of)
    assert Counter(slot % partitions for slot in dealt).most_common(1)[0][1] == by_turns.most_common(1)[0][1]


def test_a_partition_that_gets_more_than_a_task_takes_is_the_first_bottleneck() -> None:
    found = run_of("peak", plan := Plan(5, 20.0, fps=25.0, bursts=False), simulate(plan))
    assert found.cameras_of_fullest * plan.fps > 1 / DETECT_S
    assert found.bottleneck == "detect"
    assert found.p95_s > 1


def test_what_waited_for_a_dead_task_manager_is_worked_off_as_on_paper() -> None:
    plan = Plan(4, 60.0, fps=8.0, bursts=False, dies_at_s=10, dies_tasks=1, away_s=10, checkpoint_s=1, kept_s=4)
    found = simulate(plan)
    rate = 8.0 * found.cameras_of_fullest
    assert found.caught_up_s == pytest.approx(11 * rate / (1 / DETECT_S - rate), rel=0.15)
    assert found.too_old == pytest.approx(7 * rate, rel=0.15)  # the 10 s and the checkpoint's, but for the last 4
    assert 0 < found.decided - found.frames <= 2 * rate  # what the checkpoint didn't know of comes twice


def test_many_at_once_are_one_piece_of_work() -> None:
    env, done = simpy.Environment(), []
    work = Work(0.01, awake_s=0.1, gather_s=0.5, most=8)
    server = Server(env, work, lambda frame: done.append((env.now, frame.camera)))
    for camera in range(10):
        server.put(_Frame(camera, 0.0))
    env.run(until=5)
    assert [camera for _, camera in done] == list(range(10))
    assert sorted({round(at_s, 3) for at_s, _ in done}) == [0.68, 1.3]  # 0.5 + 0.18, then 0.5 + 0.12
    assert server.busy_s == pytest.approx(0.3)


def test_the_pages_runs_are_of_todays_figures() -> None:
    """Otherwise: `python -m tests.bench.simulate`."""
    found = read()
    assert found.made_with == made_with()
    assert [(run.load, run.cameras) for run in found.runs] == [
        (load, plan.cameras) for load, those in plans().items() for plan in those
    ]


@pytest.mark.parametrize("load", ["mean", "a task manager dies"])
def test_the_pages_runs_come_out_again(load: str) -> None:
    plan = plans()[load][0]
    (kept,) = [run for run in read().runs if (run.load, run.cameras) == (load, plan.cameras)]
    assert asdict(run_of(load, plan, simulate(plan))) == asdict(kept)
