"""What many cameras cost, by parts of the system: `python -m vedette.scaling > docs/scaling.md`."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from vedette.manifests import REPLICAS
from vedette.sizing import BUSY, FPS, FRAMES, Need, need

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


@dataclass(frozen=True)
class Prices:
    """Assumed, in euros: put yours here."""

    core_hour: float = 0.03
    disk_gb_month: float = 0.08
    bucket_gb_month: float = 0.02


def euros_a_camera(cameras: int, prices: Prices = Prices()) -> float:
    """A month, at mean load: cores as busy as they should be, disk twice the broker's, evidence in a bucket."""
    wanted = need(cameras)
    cores = sum(cost.cores(cameras) for cost in COSTS.values()) / BUSY
    disk = 2 * wanted.kafka_bytes / 1e9 * prices.disk_gb_month
    return (cores * HOURS * prices.core_hour + disk + wanted.evidence_bytes / 1e9 * prices.bucket_gb_month) / cameras


def brokers(wanted: Need) -> int:
    """As many as the peak needs: what comes in is copied to the others and read once by detect."""
    return max(REPLICAS, math.ceil(wanted.peak_mbit * (REPLICAS + 1) / BROKER_MBIT))


def first_full() -> tuple[str, float]:
    """The part of one process that first takes a whole core, and at how many cameras.

    Not the agent: OpenCV decodes each camera in a thread that Python does not hold up.
    """
    alone = {name: cost.full_at() for name, cost in COSTS.items() if cost.alone and name != "agent"}
    name = min(alone, key=lambda one: alone[one])
    return name, alone[name]


def page() -> str:
    """docs/scaling.md."""
    name, cameras = first_full()
    return f"""# Scaling

Written by `python -m vedette.scaling` from figures in `vedette/scaling.py` and `vedette/sizing.py`. Each part costs so
much without cameras, so much a camera, so much a frame a second: straight lines, since no part looks at two cameras at
once but `site`. `python -m tests.bench scaling` turns 1, 2, 4, 8 and 16 simulated cameras on and off in one running
system, holds the CPU time that the parts use against this page (20 %), and those of 2 and 8 cameras against the line of
the others. The figures below are of such a run, on two cores that others wanted too (load 12): 0.191, 0.228, 0.307,
0.446 and 0.726 cores; the line of 1, 4 and 16 cameras met 2 and 8 within 1 %.

## Cores

{_table(("part", "idle", "a camera", "a frame a second"), [_cost_row(*one) for one in COSTS.items()])}

{_table(("cameras", *COSTS, "all", "at the peak"), [_cores_row(count) for count in CAMERAS])}

Mean: {FRAMES_S:g} frames a second and camera; peak: all cameras move, {FPS:g}. The agent's cost is decoding 10 pictures
of 480x360 a second, larger ones cost more by their pixels. All on CPUs; how many frames a GPU takes was not measured.

## What it takes

{_table(NEED_HEAD, [_need_row(count) for count in CAMERAS])}

A task manager of `detect` has 2 cores ({BUSY:.0%} busy). Network: the peak comes in, goes to {REPLICAS - 1} more
replicas, and is read once. Brokers: {BROKER_MBIT:,.0f} Mbit/s each. Prices are assumed (`Prices`): a core
{Prices().core_hour:g} an hour, {HOURS} hours a month, disk {Prices().disk_gb_month:g} and bucket
{Prices().bucket_gb_month:g} a GB and month; agents' cores are in it.

## Where the first bottleneck is

- The brokers' network: {need(1_000).peak_mbit:,.0f} Mbit/s come in at 1,000 cameras when all move. More brokers help,
  and agents lower their rates when the jobs are behind, so a peak costs pictures, not the cluster.
- `detect` has as many tasks as `frames.SITE` has partitions: {need(10_000).partitions:,} at 10,000 cameras, all in one
  topic. Sites of some hundred cameras keep that small.
- `{name}` is one process a site, and full at about **{cameras:,.0f} cameras** of one site at mean load: the first that
  more machines don't help. Beyond, split the site in two. (One frame alone costs it ten times as much as one of many:
  the line of a few cameras would say 1,100. The bench reads 40,000 frames from a topic.)
- The console reads alerts, not frames: an alert an hour of 10,000 cameras is 3 a second.
"""


NEED_HEAD = (
    "cameras",
    "partitions",
    "task managers",
    "brokers",
    "network, peak",
    "Kafka's disk",
    "evidence",
    "a camera",
)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _cost_row(name: str, cost: Cost) -> tuple[str, ...]:
    return name, f"{cost.idle:g}", f"{cost.a_camera:g}", f"{cost.a_frame_s:g}"


def _cores_row(cameras: int) -> tuple[str, ...]:
    parts = [cost.cores(cameras) for cost in COSTS.values()]
    peak = sum(cost.cores(cameras, FPS) for cost in COSTS.values())
    return f"{cameras:,}", *(f"{cores:,.1f}" for cores in parts), f"{sum(parts):,.0f}", f"{peak:,.0f}"


def _need_row(cameras: int) -> tuple[str, ...]:
    wanted = need(cameras)
    return (
        f"{cameras:,}",
        f"{wanted.partitions:,}",
        f"{math.ceil(wanted.cores / 2):,}",
        f"{brokers(wanted):,}",
        f"{wanted.peak_mbit * (REPLICAS + 1) / 1000:,.1f} Gbit/s",
        f"{wanted.kafka_bytes / 1e12:,.2f} TB",
        f"{wanted.evidence_bytes / 1e12:,.2f} TB",
        f"{euros_a_camera(cameras):,.2f} € a month",
    )


if __name__ == "__main__":
    sys.stdout.write(page())
