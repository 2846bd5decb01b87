"""A site of many cameras as queues (SimPy): bursts, partitions, tasks, history; what waits where, and for how long.

The stations cost what `vedette/scaling.py` says and nothing else, so where nothing waits the simulation says what the
paper does. What it adds is chance: which cameras move at once, and which of them share a partition, a task, a key
group. Partitions share cameras equally (contracts/config_check.py: slots); key groups are found by hash.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import simpy
from confluent_kafka import murmur2

from contracts.config.services import TASKS_MAX
from vedette.scaling import (
    BROKER_MBIT,
    COSTS,
    DECIDE_S,
    DETECT_S,
    EVIDENCE_S,
    brokers,
    tasks_of_decide,
)
from vedette.sizing import ALERTS_PER_HOUR, FPS, FRAME, FRAMES, OPEN, REPLICAS, need

Steps = Generator[simpy.Event, Any, None]
OPEN_S = 20.0
"""Assumed: how long a gate stays open at a time; the share of the time is the sizing's."""
WAITS_ANYWAY = 3
"""So many frames wait before a task now and then."""


@dataclass(frozen=True)
class Plan:
    """What is simulated. `bursts` False: all cameras move all the time, at `fps`.

    The task manager of detect that has the fullest partitions (`dies_tasks`) is away from `dies_at_s` on for `away_s`,
    and does again what it had done since its last checkpoint; its cameras alone send, as the others aren't touched.
    `kept_s` is how long the frames topic keeps a frame that nobody read.
    """

    cameras: int
    seconds: float
    fps: float = FPS
    bursts: bool = True
    seed: int = 7
    dies_at_s: float | None = None
    dies_tasks: int = 2
    away_s: float = 0.0
    checkpoint_s: float = 0.0
    kept_s: float = 3600.0


@dataclass(frozen=True)
class Outcome:
    """What came of it: latencies from shutter to decision in s, work in cores, how busy each station's fullest is.

    `too_old` are frames that the topic would have let go before the dead task manager was back; `caught_up_s` is how
    long after that no more waited for it than before (None: still more at the end).
    """

    frames: int
    decided: int
    p50_s: float
    p95_s: float
    cores: Mapping[str, float]
    busiest: Mapping[str, float]
    cameras_of_fullest: int
    too_old: int
    caught_up_s: float | None

    @property
    def bottleneck(self) -> str:
        """The station whose fullest server is busiest."""
        return max(self.busiest, key=lambda name: self.busiest[name])


@dataclass(frozen=True)
class Work:
    """What a server needs for what it takes at once: `awake_s`, and `each_s` for each of at most `most`.

    It lets things gather for `gather_s` between two looks.
    """

    each_s: float
    awake_s: float = 0.0
    gather_s: float = 0.0
    most: int = 1

    def takes_s(self, count: int) -> float:
        """For so many at once."""
        return self.awake_s + count * self.each_s


@dataclass(slots=True)
class _Frame:
    camera: int
    at_s: float


Hand = Callable[[_Frame], None]


class Server:
    """One thread of work with its queue."""

    def __init__(self, env: simpy.Environment, work: Work, hand: Hand) -> None:
        self.waiting: deque[_Frame] = deque()
        self.busy_s = 0.0
        self.away_until_s = 0.0
        self.lately: deque[tuple[float, _Frame]] | None = None
        self._env, self._work, self._hand = env, work, hand
        self._idle: simpy.Event | None = None
        env.process(self._run())

    def put(self, frame: _Frame) -> None:
        """Let it wait its turn."""
        self.waiting.append(frame)
        if self._idle is not None:
            idle, self._idle = self._idle, None
            idle.succeed()

    def _run(self) -> Steps:
        env, work, waiting = self._env, self._work, self.waiting
        while True:
            if not waiting:
                self._idle = env.event()
                yield self._idle
            if work.gather_s:
                yield env.timeout(work.gather_s)
            if env.now < self.away_until_s:
                yield env.timeout(self.away_until_s - env.now)
            batch = [waiting.popleft() for _ in range(min(work.most, len(waiting)))]
            yield env.timeout(took_s := work.takes_s(len(batch)))
            self.busy_s += took_s
            for frame in batch:
                if self.lately is not None:
                    self.lately.append((env.now, frame))
                self._hand(frame)


@dataclass
class _Tally:
    frames: int = 0
    latencies_s: list[float] = field(default_factory=list)
    again: int = 0


class Site:
    """The stations and who hands what to whom."""

    def __init__(self, env: simpy.Environment, plan: Plan) -> None:
        wanted = need(plan.cameras)
        self._env, self._plan, self.tally = env, plan, _Tally()
        names = [f"camera-{number}".encode() for number in range(plan.cameras)]
        self.partition_of = [slot % wanted.partitions for slot in range(plan.cameras)]
        groups, decides = TASKS_MAX, tasks_of_decide(plan.cameras)
        self._decide_of = [murmur2(name + b"/live", groups) * decides // groups for name in names]
        wire = Work(FRAME * 8 * (REPLICAS + 1) / 1e6 / BROKER_MBIT)
        self.brokers = [Server(env, wire, self._to_detect) for _ in range(brokers(wanted))]
        self.detect = [Server(env, Work(DETECT_S), self._to_decide) for _ in range(wanted.partitions)]
        self.decide = [Server(env, Work(DECIDE_S), self._decided) for _ in range(decides)]
        self.history = Server(env, _history(), lambda _frame: None)
        self.evidence = Server(env, Work(EVIDENCE_S), lambda _frame: None)
        self._alerts = random.Random(f"{plan.seed}/alerts")

    def send(self, frame: _Frame) -> None:
        """A camera's agent to the broker that leads the camera's partition."""
        self.tally.frames += 1
        self.brokers[self.partition_of[frame.camera] % len(self.brokers)].put(frame)

    def _to_detect(self, frame: _Frame) -> None:
        self.detect[self.partition_of[frame.camera]].put(frame)

    def _to_decide(self, frame: _Frame) -> None:
        self.decide[self._decide_of[frame.camera]].put(frame)

    def _decided(self, frame: _Frame) -> None:
        self.tally.latencies_s.append(self._env.now - frame.at_s)
        self.history.put(frame)
        if self._alerts.random() < ALERTS_PER_HOUR / FRAMES.records_per_hour:
            self.evidence.put(frame)


def _history() -> Work:
    """It wakes up for one frame alone, and for as many as come meanwhile where they come in crowds."""
    alone, bulk = COSTS["history"].a_frame_s, COSTS["history"].bulk
    assert bulk is not None
    return Work(bulk.a_frame_s, awake_s=bulk.wake_s(alone), gather_s=bulk.gather_s(alone), most=1_000_000)


def simulate(plan: Plan) -> Outcome:
    """Run it; the same plan gives the same outcome."""
    env = simpy.Environment()
    site = Site(env, plan)
    fall = _Fall(env, plan, site) if plan.dies_at_s is not None else None
    for number, partition in enumerate(site.partition_of):
        if fall is None or partition in fall.partitions:
            env.process(_camera(env, plan, number, site.send))
    env.run(until=plan.seconds)
    return _outcome(plan, site, fall)


def _camera(env: simpy.Environment, plan: Plan, number: int, send: Hand) -> Steps:
    """Its gate opens and closes; while it is open a frame goes every 1/fps s."""
    chance = random.Random(f"{plan.seed}/{number}")
    every_s, share = 1 / plan.fps, OPEN if plan.bursts else 1.0
    closed_s = OPEN_S * (1 - share) / share
    yield env.timeout(chance.uniform(0, every_s))
    is_open = chance.random() < share
    while True:
        if not is_open:
            yield env.timeout(chance.expovariate(1 / closed_s))
        ends_s = env.now + chance.expovariate(1 / OPEN_S) if plan.bursts else plan.seconds
        while env.now < ends_s:
            send(_Frame(number, env.now))
            yield env.timeout(every_s)
        is_open = False


class _Fall:
    """A task manager dies: its tasks are away, do again what no checkpoint knew of, then what waited meanwhile."""

    def __init__(self, env: simpy.Environment, plan: Plan, site: Site) -> None:
        self.too_old = 0
        self.caught_up_s: float | None = None
        self._env, self._plan, self._tally = env, plan, site.tally
        self.partitions = [one for one, _ in Counter(site.partition_of).most_common(plan.dies_tasks)]
        self._tasks = [site.detect[partition] for partition in self.partitions]
        for task in self._tasks:
            task.lately = deque()
        env.process(self._run())

    def _run(self) -> Steps:
        env, plan = self._env, self._plan
        assert plan.dies_at_s is not None
        yield env.timeout(plan.dies_at_s)
        returns_s = env.now + plan.away_s
        for task in self._tasks:
            task.away_until_s = returns_s
            again = [frame for done_s, frame in task.lately or () if done_s > env.now - plan.checkpoint_s]
            self._tally.again += len(again)
            task.waiting.extendleft(reversed(again))
            task.lately = None
        yield env.timeout(plan.away_s)
        waited = [frame for task in self._tasks for frame in task.waiting]
        self.too_old = sum(env.now - frame.at_s > plan.kept_s for frame in waited)
        while any(len(task.waiting) > WAITS_ANYWAY for task in self._tasks):
            yield env.timeout(0.1)
        self.caught_up_s = env.now - returns_s


def _outcome(plan: Plan, site: Site, fall: _Fall | None) -> Outcome:
    took_s = site.tally.latencies_s
    stations = {
        "brokers' network": site.brokers,
        "detect": site.detect,
        "decide": site.decide,
        "history": [site.history],
        "evidence": [site.evidence],
    }
    return Outcome(
        frames=site.tally.frames,
        decided=len(took_s),
        p50_s=median(took_s),
        p95_s=quantiles(took_s, n=20)[18],
        cores=_cores(plan, site),
        busiest={name: max(server.busy_s for server in those) / plan.seconds for name, those in stations.items()},
        cameras_of_fullest=max(Counter(site.partition_of).values()),
        too_old=fall.too_old if fall else 0,
        caught_up_s=fall.caught_up_s if fall else None,
    )


def _cores(plan: Plan, site: Site) -> dict[str, float]:
    """Busy time of the stations, with what parts cost that do nothing and what cameras cost that send nothing."""
    busy_s = {
        "broker": site.tally.frames * COSTS["broker"].a_frame_s,
        "jobs": sum(server.busy_s for server in (*site.detect, *site.decide)),
        "evidence": site.evidence.busy_s,
        "history": site.history.busy_s,
    }
    return {
        name: cost.idle
        + (0 if name == "evidence" else plan.cameras * cost.a_camera)
        + busy_s.get(name, 0.0) / plan.seconds
        for name, cost in COSTS.items()
    }
