"""What many cameras cost, written down: `python -m vedette.scaling_page [--prices FILE] > docs/scaling.md`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from contracts.config.services import TASKS_MAX
from contracts.errors import ConfigError
from vedette.prices import ASSUMED, Prices, read
from vedette.scaling import (
    BROKER_MBIT,
    CAMERAS,
    COSTS,
    DECIDE_S,
    DECIDE_TASKS,
    DETECT_S,
    FRAMES_S,
    GPU,
    HOURS,
    MEASURED,
    Cost,
    Inference,
    Limit,
    brokers,
    cameras_of_decide,
    cores_measured_so,
    euros_a_camera,
    euros_with_gpus,
    limits,
    sites,
    tasks_of_decide,
)
from vedette.simulated import Run
from vedette.simulated import read as simulated
from vedette.sizing import BUSY, FPS, OPEN, REPLICAS, need, table

MEASURE_IT = "measure with `python -m tests.bench inference`"


def page(prices: Prices, gpu: Inference | None = GPU) -> str:
    """docs/scaling.md."""
    parts = (_head(), _cores(), _needs(prices), _gpus(prices, gpu), _simulated(), _bottlenecks(), _split())
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    return """# Scaling

Written by `python -m vedette.scaling_page` from figures in `vedette/scaling.py`, `vedette/sizing.py` and
`vedette/prices.yaml` (another file: `--prices FILE`), and from what `python -m tests.bench.simulate` left in
`vedette/simulated.json`; tests hold all of them against this page. `--cameras N` says what so many need, and in how
many sites they must be split; `python -m vedette.manifests` says where an overlay's config is not enough for its
cameras."""


def _cores() -> str:
    return f"""## Cores

Each part costs so much without cameras, so much a camera, so much a frame a second: straight lines, since no part looks
at two cameras at once but `site`.

{table(("part", "idle", "a camera", "a frame a second"), [_cost_row(*one) for one in COSTS.items()])}

{table(("cameras", *COSTS, "all", "at the peak"), [_cores_row(count) for count in CAMERAS])}

Mean: {FRAMES_S:g} frames a second and camera; peak: all cameras move, {FPS:g}. The agent's cost is decoding 10 pictures
of 480x360 a second, larger ones cost more by their pixels.

`python -m tests.bench scaling` turns 1, 2, 4, 8 and 16 simulated cameras on and off in one running system, each sending
a frame a second, holds the CPU time that the parts use against this page (20 %), and those of 2 and 8 cameras against
the line of the others (they met it within 1 %):

{table(("cameras", "cores measured", "on paper", "off by"), [_measured_row(*one) for one in MEASURED.items()])}

That run was on two cores that others wanted too (load 12)."""


def _needs(prices: Prices) -> str:
    return f"""## What it takes

{table(NEED_HEAD, [_need_row(count, prices) for count in CAMERAS])}

Partitions, tasks and brokers are for the peak. A task manager of `detect` has 2 cores ({BUSY:.0%} busy), a task of
`decide` one. Component `autoscaling` changes how many there are by lag and by how busy they are, within minutes; each
change is a restart from a state, in which the site waits. Without it `k8s/base/flink` says how many: {DECIDE_TASKS} of
`decide`, for {cameras_of_decide(DECIDE_TASKS)} moving cameras.
A topic has {TASKS_MAX:,} partitions at most (`kafka.partitions`), as many as a job may have tasks
(`pipeline.max-parallelism`). A camera that comes or goes moves none of those that are read to another partition; the
next start of the agents may move some ([upgrade](upgrade.md#topics)). Network: the peak comes in, goes to
{REPLICAS - 1} more replicas, and is read once. Brokers:
{BROKER_MBIT:,.0f} Mbit/s each. Prices are assumed: a core {prices.core_hour:g} an hour, {HOURS} hours a month, disk
{prices.disk_gb_month:g} and bucket {prices.bucket_gb_month:g} a GB and month; agents' cores are in it."""


def _gpus(prices: Prices, gpu: Inference | None) -> str:
    return f"""## On GPUs

The tasks of a task manager give their pictures to one batch (`stream/vision/batcher.py`: 8 at most, the first waits
3 ms), so with component `gpu` a task manager has 8 tasks, one GPU, and cores that decode. GPUs are there for the peak:
cameras x {FPS:g} / (pictures a second of the best batch x {BUSY:g}). `python -m tests.bench inference` measures
pictures a second by batch on whatever there is, and what a picture costs the cores beside it.

{table(GPU_HEAD, [_gpu_row(count, prices, gpu) for count in CAMERAS])}

{"No GPU was at hand: no figure stands here that nobody measured." if gpu is None else f"Measured on {gpu.device}."}"""


def _simulated() -> str:
    runs = simulated().runs
    steady, falls = [run for run in runs if not run.away_s], [run for run in runs if run.away_s]
    return f"""## Simulated

The same figures as queues (`tests/bench/site_queues.py`, SimPy): cameras whose gates open for 20 s at a time, brokers'
network, a task a partition, key groups, history, evidence. Where nothing waits it says what the paper does; what it
adds is chance. Partitions share cameras equally (`contracts/slots.py`), so there it is
whose gates are open at once; `decide` finds its tasks by hash, so its fullest has more cameras than the mean. Latency
is from shutter to decision, in queues and at work: what Kafka's client adds is in `python -m tests.bench system --only
latency`.

{table(RUN_HEAD, [_run_row(run) for run in steady])}

A task manager of two tasks dies, that of the fullest partitions, is back after {falls[0].away_s:g} s (assumed), and
does again what its last checkpoint, 5 s old at most, didn't know of. Others aren't touched: no task of `detect` waits
for another's.

{table(FALL_HEAD, [_fall_row(run) for run in falls])}

*Too old*: what the topic of the default 4 GiB would have deleted meanwhile; `kafka.frames_gib` as docs/sizing.md has it
loses none. So what breaks first is what is kept of frames."""


def _bottlenecks() -> str:
    head = ("what more machines don't help", "cameras, mean", "cameras, all moving")
    return f"""## Where the first bottleneck is

{table(head, [_limit_row(limit) for limit in limits()])}

- In a site within those bounds it is the fullest task of `decide` when all move: {BUSY:.0%} is the mean of its tasks.
  A higher parallelism helps: component `autoscaling`, or `spec.job.parallelism`.
- With fewer partitions than above it is the fullest of `frames.SITE`: one task takes {1 / DETECT_S:.0f} frames a
  second, {math.floor(1 / DETECT_S / FPS)} cameras that all move. What comes in faster waits; nothing that was sent is
  dropped. After two minutes agents send half of these cameras' frames, down to a quarter (`stream.pace`), and all of
  them again when they are on time. `LagHigh` and `RatesLowered` say so. Ways out: `kafka.partitions`, fewer
  `detect.fps`, GPUs.
- Then the brokers' network, since there are just as many as the peak needs: {need(1_000).peak_mbit:,.0f} Mbit/s come in
  at 1,000 cameras when all move. More brokers help.
- `history` is full at **{limits()[0].mean:,.0f} cameras** of one site at mean load. (One frame alone costs it ten
  times as much as one of many: the line of a few cameras would say 1,100. The bench reads 40,000 frames from a topic.)
- `decide` takes {1000 * DECIDE_S:.1f} ms a frame (all jobs but `detect` are counted to it). Its state lies in
  {TASKS_MAX} key groups (`pipeline.max-parallelism`), which no savepoint lets anybody change later. Its tasks hand
  each other what they read: one that dies takes all of them back to the last checkpoint, and the site waits meanwhile.
- `site` is keyed by site, so one of its tasks does all. It gets who was seen, not frames.
- An agent is full when its machine's cores are. A site may have several, and a camera goes from one to another while
  both run ([agents](agents.md#who-reads-which-camera)).
- The console reads alerts, not frames: an alert an hour of 10,000 cameras is 3 a second."""


def _split() -> str:
    most = limits()[0].mean
    return f"""## More cameras than one site takes

Above {most:,.0f} cameras ({sites(12_000)} sites for 12,000), and well below that where all may move at once, split
the site:

1. Cut where nobody walks through: a building, a yard. What looks over cameras (unknown people, one incident over
   cameras) ends at the cut, all else is by camera.
2. An overlay a site: a copy of `k8s/overlays/prod` with another `namespace`, `site.name`, database and `prefix` in the
   bucket, its part of `cameras`, `zones` and `rules`; then `python -m vedette.manifests` on it. Each has brokers,
   jobs and a console of its own, so one that is full or down takes nothing from the others.
3. A camera that moves gets its rules with it (the file, or import of the new console). It begins a new session there;
   alerts and evidence of before stay with the old site until their days are over.
4. Accounts: OIDC in all of them. People who are known are enrolled in each. A model is trained in one and added to the
   registries of the others (`vedette models`).
5. One Prometheus sees all: dashboards and rules are by `namespace`."""


NEED_HEAD = (
    *("cameras", "partitions", "task managers of detect", "tasks of decide", "brokers", "network, peak"),
    *("Kafka's disk", "evidence", "a camera, on CPUs"),
)
GPU_HEAD = ("cameras", "GPUs", "cameras a GPU", "cores beside them", "a camera")
RUN_HEAD = (
    *(
        "cameras",
        "load",
        "seconds",
        "frames/s",
        "p50",
        "p95",
        "fullest partition",
        "busiest task of detect",
        "of decide",
    ),
    *("network", "history", "first bottleneck"),
)
FALL_HEAD = ("cameras", "fullest partition", "caught up after", "on paper", "too old", "p95 of those cameras")


def _cost_row(name: str, cost: Cost) -> tuple[str, ...]:
    return name, f"{cost.idle:g}", f"{cost.a_camera:g}", f"{cost.a_frame_s:g}"


def _cores_row(cameras: int) -> tuple[str, ...]:
    parts = [cost.cores(cameras) for cost in COSTS.values()]
    peak = sum(cost.cores(cameras, FPS) for cost in COSTS.values())
    return f"{cameras:,}", *(f"{cores:,.1f}" for cores in parts), f"{sum(parts):,.0f}", f"{peak:,.0f}"


def _measured_row(cameras: int, cores: float) -> tuple[str, ...]:
    said = cores_measured_so(cameras)
    return f"{cameras}", f"{cores:.3f}", f"{said:.3f}", f"{abs(said - cores) / cores:.0%}"


def _need_row(cameras: int, prices: Prices) -> tuple[str, ...]:
    wanted = need(cameras)
    return (
        f"{cameras:,}",
        f"{wanted.partitions:,}",
        f"{math.ceil(wanted.cores / 2):,}",
        f"{tasks_of_decide(cameras):,}",
        f"{brokers(wanted):,}",
        f"{wanted.peak_mbit * (REPLICAS + 1) / 1000:,.1f} Gbit/s",
        f"{wanted.kafka_bytes / 1e12:,.2f} TB",
        f"{wanted.evidence_bytes / 1e12:,.2f} TB",
        f"{euros_a_camera(cameras, prices):,.2f} € a month",
    )


def _gpu_row(cameras: int, prices: Prices, gpu: Inference | None) -> tuple[str, ...]:
    if gpu is None:
        return f"{cameras:,}", MEASURE_IT, *("-",) * 3
    count = gpu.gpus(cameras * FPS)
    return (
        f"{cameras:,}",
        f"{count:,}",
        f"{cameras / count:,.0f}",
        f"{gpu.cores(cameras * FPS):,}",
        f"{euros_with_gpus(cameras, prices, gpu):,.2f} € a month",
    )


def _run_row(run: Run) -> tuple[str, ...]:
    late = f" ({run.frames_s - run.decided_s:,.0f} a second wait)" if run.decided_s < KEPT_UP * run.frames_s else ""
    return (
        f"{run.cameras:,}",
        run.load,
        f"{run.seconds:g}",
        f"{run.frames_s:,.0f}{late}",
        _time(run.p50_s),
        _time(run.p95_s),
        f"{run.cameras_of_fullest} cameras",
        *(f"{run.busiest[name]:.0%}" for name in ("detect", "decide", "brokers' network", "history")),
        run.bottleneck,
    )


KEPT_UP = 0.98
"""At the end of a simulation some frames are still on their way."""


def _fall_row(run: Run) -> tuple[str, ...]:
    return (
        f"{run.cameras:,}",
        f"{run.cameras_of_fullest} cameras",
        "not yet after a minute" if run.caught_up_s is None else _time(run.caught_up_s),
        _on_paper(run),
        f"{run.too_old:,}",
        _time(run.p95_s),
    )


def _on_paper(run: Run) -> str:
    """What waits, worked off by what the task has left over: (away + half a checkpoint) x rate / (1 / DETECT_S -
    rate)."""
    rate = run.cameras_of_fullest * FPS * OPEN
    left = 1 / DETECT_S - rate
    return _time((run.away_s + 2.5) * rate / left) if left > 0 else "never"


def _limit_row(limit: Limit) -> tuple[str, ...]:
    return limit.what, f"{limit.mean:,.0f}", f"{limit.peak:,.0f}"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"


def only(cameras: int, prices: Prices) -> str:
    """What so many cameras need, and in how many sites."""
    split = sites(cameras)
    each = math.ceil(cameras / split)
    said = "are one site" if split == 1 else f"are split in {split} sites; each"
    return f"{cameras:,} cameras {said}:\n\n{table(NEED_HEAD, [_need_row(each, prices)])}\n"


def main(arguments: list[str] | None = None) -> int:
    """Print the page, or one need; 2 where the prices can't be read."""
    parser = argparse.ArgumentParser(prog="python -m vedette.scaling_page", description=__doc__)
    parser.add_argument("--prices", type=Path, default=ASSUMED, metavar="FILE", help="instead of vedette/prices.yaml")
    parser.add_argument("--cameras", type=int, metavar="N", help="say what so many need instead")
    given = parser.parse_args(arguments)
    try:
        prices = read(given.prices)
        sys.stdout.write(page(prices) if given.cameras is None else only(given.cameras, prices))
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
