"""What many cameras cost, by parts of the system, on paper; `vedette/scaling_page.py` writes it down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.config import Kafka
from contracts.config.services import TASKS_MAX
from vedette.prices import Prices
from vedette.sizing import ALERTS_PER_HOUR, AWAY_MIN, BUSY, FPS, FRAMES, FRAMES_PER_CORE, REPLICAS, Need, need

CAMERAS = (100, 1_000, 10_000)
FRAMES_S = FRAMES.records_per_hour / 3600
"""Mean frames a second of a camera: the gate is open for a part of the time."""
HOURS = 730
"""Of a month."""
BROKER_MBIT = 5_000.0
"""Assumed: what a broker's network takes in and gives out together."""


@dataclass(frozen=True)
class Line:
    """A straight line over cameras."""

    at_zero: float
    a_camera: float

    def at(self, cameras: float) -> float:
        """Its value."""
        return self.at_zero + self.a_camera * cameras


def line_through(first: tuple[float, float], second: tuple[float, float]) -> Line:
    """The line through two points (cameras, value)."""
    (x0, y0), (x1, y1) = first, second
    slope = (y1 - y0) / (x1 - x0)
    return Line(y0 - slope * x0, slope)


@dataclass(frozen=True)
class Bulk:
    """What frames cost a process that finds many at each look: being awake (cores), and each frame a second.

    One frame alone costs mostly the waking up for it, so this is the bound that a part comes to with many cameras.
    """

    awake: float
    a_frame_s: float

    def wake_s(self, alone_s: float) -> float:
        """What waking up once costs, where a frame alone costs `alone_s`."""
        return alone_s - self.a_frame_s

    def gather_s(self, alone_s: float) -> float:
        """How long it sleeps between two looks, that waking up comes to `awake` cores."""
        return self.wake_s(alone_s) * (1 / self.awake - 1)


@dataclass(frozen=True)
class Cost:
    """Cores of one part: without a camera, for each camera, for each frame a second. `alone`: one process a site."""

    idle: float
    a_camera: float
    a_frame_s: float
    alone: bool
    bulk: Bulk | None = None

    def cores(self, cameras: int, frames_s: float = FRAMES_S) -> float:
        """With so many cameras, each of which sends so many frames a second."""
        rate = cameras * frames_s
        frames = rate * self.a_frame_s
        if self.bulk is not None:
            frames = min(frames, self.bulk.awake + rate * self.bulk.a_frame_s)
        return self.idle + cameras * self.a_camera + frames

    def full_at(self, frames_s: float = FRAMES_S) -> float:
        """Cameras at which it takes a whole core; infinitely many where they cost it nothing."""
        awake, a_frame_s = (self.bulk.awake, self.bulk.a_frame_s) if self.bulk is not None else (0.0, self.a_frame_s)
        slope = self.a_camera + frames_s * a_frame_s
        return (1 - self.idle - awake) / slope if slope else math.inf


COSTS = {
    "agent": Cost(0.0053, 0.0085, 0.0, alone=True),
    "broker": Cost(0.0772, 0.0, 0.0027, alone=False),
    "jobs": Cost(0.0562, 0.0, 0.0245, alone=False),
    "evidence": Cost(0.0014, 0.00005, 0.0, alone=True),
    "history": Cost(0.0010, 0.0, 0.0003, alone=True, bulk=Bulk(0.09, 0.000028)),
    "console": Cost(0.0155, 0.0, 0.0, alone=True),
}
"""CPU seconds a second, as `python -m tests.bench scaling` prints them; evidence by alerts (0.19 s, with the clip),
of which a camera has one an hour; what keeps the history awake by 10, 100 and 300 frames a second."""

MEASURED = {1: 0.191, 2: 0.228, 4: 0.307, 8: 0.446, 16: 0.726}
"""Cores of all parts by cameras that send MEASURED_FPS frames a second each, of one run of that bench."""
MEASURED_FPS = 1.0


def cores_measured_so(cameras: int) -> float:
    """On paper, what that bench measures of so many cameras."""
    return sum(cost.cores(cameras, MEASURED_FPS) for cost in COSTS.values())


DETECT_S = 1 / FRAMES_PER_CORE
"""A frame's time in a task of detect: one thread's."""
DECIDE_S = COSTS["jobs"].a_frame_s - DETECT_S
"""A frame's time in all other jobs; here it is decide's, which is the largest of them."""
EVIDENCE_S = COSTS["evidence"].a_camera * 3600 / ALERTS_PER_HOUR
"""An alert's time, with its clip."""
DECIDE_TASKS = 2
"""The parallelism of k8s/base/flink/decide.yaml: where component autoscaling begins, and all without it."""


@dataclass(frozen=True)
class Inference:
    """What `python -m tests.bench inference` measured on a GPU: pictures a second by batch, and the CPU time beside it.

    `beside_s` is a picture's CPU time before and after the model: decoding, letterbox, boxes.
    """

    device: str
    pictures_s: Mapping[int, float]
    beside_s: float

    def gpus(self, frames_s: float) -> int:
        """For so many frames a second, each GPU as busy as it should be."""
        return math.ceil(frames_s / (max(self.pictures_s.values()) * BUSY))

    def cores(self, frames_s: float) -> int:
        """Cores that decode for them."""
        return math.ceil(frames_s * self.beside_s / BUSY)


GPU: Inference | None = None
"""Nobody has measured one: put the last line of that bench here."""


def euros_a_camera(cameras: int, prices: Prices) -> float:
    """A month, at mean load: cores as busy as they should be, disk twice the broker's, evidence in a bucket."""
    wanted = need(cameras)
    cores = sum(cost.cores(cameras) for cost in COSTS.values()) / BUSY
    disk = 2 * wanted.kafka_bytes / 1e9 * prices.disk_gb_month
    bucket = wanted.evidence_bytes / 1e9 * prices.bucket_gb_month
    return (cores * HOURS * prices.core_hour + disk + bucket) / cameras


def euros_with_gpus(cameras: int, prices: Prices, gpu: Inference) -> float:
    """The same with detect's model on GPUs, which are there for the peak."""
    spared = cameras * FRAMES_S * (DETECT_S - gpu.beside_s) / BUSY * HOURS * prices.core_hour
    added = gpu.gpus(cameras * FPS) * HOURS * prices.gpu_hour
    return euros_a_camera(cameras, prices) + (added - spared) / cameras


def tasks_of_decide(cameras: int) -> int:
    """As many as the peak needs."""
    return min(TASKS_MAX, max(1, math.ceil(cameras * FPS * DECIDE_S / BUSY)))


def cameras_of_decide(tasks: int) -> int:
    """So many may move at once, that each task is as busy as it should be."""
    return math.floor(tasks * BUSY / DECIDE_S / FPS)


def brokers(wanted: Need) -> int:
    """As many as the peak needs: what comes in is copied to the others and read once by detect."""
    return max(REPLICAS, math.ceil(wanted.peak_mbit * (REPLICAS + 1) / BROKER_MBIT))


@dataclass(frozen=True)
class Limit:
    """What more machines don't help: the cameras of one site that it takes at mean load, and when all of them move."""

    what: str
    mean: float
    peak: float


def limits() -> tuple[Limit, ...]:
    """The nearest first, by the mean."""

    def tasks(what: str, most: int, frame_s: float) -> Limit:
        frames_s = most * BUSY / frame_s
        return Limit(what, frames_s / FRAMES_S, frames_s / FPS)

    def process(name: str) -> Limit:
        return Limit(f"`{name}` is one process", COSTS[name].full_at(), COSTS[name].full_at(FPS))

    found = (
        process("history"),
        process("evidence"),
        tasks(
            f"`detect` on CPUs has a task a partition, of which there are {TASKS_MAX:,} at most",
            TASKS_MAX,
            DETECT_S,
        ),
        tasks(f"`decide` has {TASKS_MAX:,} key groups", TASKS_MAX, DECIDE_S),
    )
    return tuple(sorted(found, key=lambda limit: limit.mean))


def sites(cameras: int) -> int:
    """In how many sites so many cameras have to be split."""
    return math.ceil(cameras / limits()[0].mean)


def advice(cameras: int, kafka: Kafka) -> list[str]:
    """What a site's cameras need more than its config says, a sentence each; empty where it is enough."""
    wanted, most = need(cameras), limits()[0]
    lines = []
    if cameras > most.mean:
        lines.append(
            f"{cameras:,} cameras are more than one site takes ({most.mean:,.0f}: {most.what}): "
            f"split it in {sites(cameras)}, as docs/scaling.md says"
        )
    if kafka.partitions < wanted.partitions:
        lines.append(
            f"kafka.partitions: {kafka.partitions} are as many tasks of detect; when all {cameras:,} cameras "
            f"move it takes {wanted.partitions:,} on CPUs"
        )
    if kafka.frames_gib < wanted.frames_gib:
        lines.append(
            f"kafka.frames_gib: with {kafka.frames_gib:g} a job may not be away for {AWAY_MIN:g} minutes "
            f"without losing frames; that takes {wanted.frames_gib:,.0f}"
        )
    return lines
