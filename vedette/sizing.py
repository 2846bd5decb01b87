"""What a site needs by its cameras, from the topics' own retention: `python -m vedette.sizing > docs/sizing.md`."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from contracts import topics
from contracts.config.evidence import KeepDays
from contracts.config.services import TASKS_MAX
from contracts.config.site import DETECT
from contracts.topics import HOUR_MS, TopicSpec

CAMERAS = (1, 10, 100, 1000)
REPLICAS = 3
"""Of each topic on a cluster."""

SMALL_FRAME = 62_300
FULL_FRAME = 198_600
"""Bytes of a JPEG at quality 85: means of ten frames of OpenCV's vtest.avi, 480 high and enlarged to 1080."""
CLIP = 591_000
"""Bytes of a clip of 15 s, 640x480 at 10 frames/s, of the same video as archive/evidence/encode.py encodes it."""
OPEN = 0.3
"""Assumed: the share of the time in which the motion gate is open."""
ALERTS_PER_HOUR = 1.0
"""Assumed: alerts of a camera."""
FRAMES_PER_CORE = 58.0
"""Frames a second that one core takes from topic to topic (`make bench`, saturation; here, on a CPU)."""
BUSY = 0.7
"""How busy a task manager should be, as the component autoscaling aims at."""
AWAY_MIN = 10.0
"""How long a job should be able to be away without losing a frame."""

GIB = 1024**3


@dataclass(frozen=True)
class Load:
    """What one camera writes to a topic: records an hour, bytes of one (of tests/golden, or with three objects)."""

    records_per_hour: float
    record_bytes: int

    @property
    def bytes_per_hour(self) -> float:
        """Before replication; Kafka compresses nothing of it."""
        return self.records_per_hour * self.record_bytes


assert DETECT.fps is not None
assert DETECT.detail_fps is not None
FPS, DETAIL_FPS = DETECT.fps, DETECT.detail_fps
FRAME = round(((FPS - DETAIL_FPS) * SMALL_FRAME + DETAIL_FPS * FULL_FRAME) / FPS)
FRAMES = Load(3600 * FPS * OPEN, FRAME)
LOADS = {
    topics.DETECTIONS: Load(FRAMES.records_per_hour, 1000),
    topics.TRACKS: Load(FRAMES.records_per_hour, 1000),
    topics.EVENTS: Load(60, 900),
    topics.ALERTS: Load(4 * ALERTS_PER_HOUR, 1100),
    topics.FEEDBACK: Load(2 * ALERTS_PER_HOUR, 900),
    topics.EVIDENCE: Load(2 * ALERTS_PER_HOUR, 100),
    topics.ANALYTICS: Load(120, 250),
    topics.EDGE_STATUS: Load(3600, 320),
    topics.SIGHTINGS: Load(30, 430),
}


@dataclass(frozen=True)
class Need:
    """What so many cameras need. Rates in Mbit/s, disk in bytes, times in minutes.

    More tasks than a topic may have partitions find no work: then the peak waits.
    """

    cameras: int
    partitions: int
    cores: int
    mean_mbit: float
    peak_mbit: float
    frames_kept_min: float
    frames_gib: float
    kafka_bytes: float
    spool_bytes: float
    evidence_bytes: float


def need(cameras: int) -> Need:
    """The need of so many cameras with the default config but for partitions."""
    peak_frames_s = cameras * FPS
    cores = min(TASKS_MAX, math.ceil(peak_frames_s / FRAMES_PER_CORE / BUSY))
    partitions = max(2, cores)
    specs = topics.specs("site", partitions)
    frames = next(spec for spec in specs if spec.name == topics.frames("site"))
    mean = cameras * FRAMES.bytes_per_hour
    alerts_per_day = cameras * ALERTS_PER_HOUR * 24
    return Need(
        cameras=cameras,
        partitions=partitions,
        cores=cores,
        mean_mbit=mean * 8 / 3600 / 1e6,
        peak_mbit=cameras * FPS * FRAME * 8 / 1e6,
        frames_kept_min=min(_kept_hours(frames) or 0, _bound(frames) / mean) * 60,
        frames_gib=mean / 60 * AWAY_MIN / GIB,
        kafka_bytes=REPLICAS * sum(_held(spec, cameras) for spec in specs),
        spool_bytes=mean,
        evidence_bytes=alerts_per_day * KeepDays().unanswered * (2 * FULL_FRAME + CLIP),
    )


def page() -> str:
    """docs/sizing.md."""
    specs = topics.specs("SITE", 2)
    kept = [spec for spec in specs if spec.config.get("cleanup.policy") != "compact"]
    compacted = ", ".join(f"`{spec.name}`" for spec in specs if spec not in kept)
    return f"""# Sizing

Written by `python -m vedette.sizing` from `contracts/topics.py` and the default config: {FPS:g} frames a second and
camera, {DETAIL_FPS:g} of them at full size. Change those, not this page.

## What the topics keep

{table(TOPIC_HEAD, [_topic_row(spec) for spec in kept])}

Kept for good, compacted, one partition, some KB each: {compacted}.
`n` is `kafka.partitions`. Kafka deletes whole segments: of the frames topics up to
{_segment_hours(specs[0]) * 60:g} minutes more may be there.

## By cameras

{table(NEED_HEAD, [_need_row(need(cameras)) for cameras in CAMERAS])}

- *Cores of detect*: all cameras moving at once, {FRAMES_PER_CORE:g} frames/s a core, {BUSY:.0%} busy; a GPU takes more.
  A partition for each core.
- *Frames kept* is what evidence, and a job that was away, find: an hour, or what {_gib(_bound(specs[0]))} hold.
  Clips need half a minute. *For {AWAY_MIN:g} min* is what `kafka.frames_gib` must be that a job may be away so long;
  `python -m bus`, `python -m vedette.manifests` and `vedette up` give the topics what stands there.
- *Kafka's disk*: all topics with {REPLICAS} replicas, both frames topics as full as they get.
  Twice that lets the broker move data about; the alert `DiskFillsUp` says when it was not enough.
- *Spool*: `edge.spool.max_mb` for each hour without a broker, with all cameras at one agent.
- *Evidence*: pictures and clips of {KeepDays().unanswered:g} days (`evidence.keep_days.unanswered`).
  History comes on top.

## What this assumes

A gate that is open {OPEN:.0%} of the time, {ALERTS_PER_HOUR:g} alert an hour and camera, three objects in a frame.
Measured on OpenCV's `vtest.avi`: a frame of {_size(SMALL_FRAME)} (480 high) or {_size(FULL_FRAME)} (full size),
a clip of {_size(CLIP)}. Other pictures have other sizes: look at `vedette_spool_bytes` and the volumes after a week.
"""


TOPIC_HEAD = ("topic", "partitions", "kept", "bounded to", "a camera and day")
NEED_HEAD = (
    *("cameras", "partitions", "cores of detect", "frames, mean", "frames, peak", "frames kept"),
    f"for {AWAY_MIN:g} min",
    *("Kafka's disk", "spool an hour", "evidence"),
)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _kept_hours(spec: TopicSpec) -> float | None:
    kept_ms = spec.config.get("retention.ms")
    return None if kept_ms is None else int(kept_ms) / HOUR_MS


def _bound(spec: TopicSpec) -> int:
    """Bytes of the whole topic."""
    return int(spec.config["retention.bytes"]) * spec.partitions


def _segment_hours(spec: TopicSpec) -> float:
    """The newest segment is deleted by nothing until it is closed."""
    return int(spec.config["segment.ms"]) / HOUR_MS


def _held(spec: TopicSpec, cameras: int) -> float:
    """Bytes that a topic comes to at most, once; compacted ones are too small to count."""
    if "retention.bytes" in spec.config:
        rate = cameras * FRAMES.bytes_per_hour
        return min(rate * (_kept_hours(spec) or 0), _bound(spec)) + rate * _segment_hours(spec)
    load = LOADS.get(spec.name)
    return 0.0 if load is None else cameras * load.bytes_per_hour * (_kept_hours(spec) or 0)


def _topic_row(spec: TopicSpec) -> tuple[str, ...]:
    hours = _kept_hours(spec) or 0
    kept = f"{hours:g} h" if hours <= 24 else f"{hours / 24:g} days"
    bound = _gib(_bound(spec)) if "retention.bytes" in spec.config else "-"
    load = FRAMES if spec.name == topics.frames("SITE") else LOADS.get(spec.name)
    day = "what faults leave" if load is None else _size(24 * load.bytes_per_hour)
    return f"`{spec.name}`", "1" if spec.partitions == 1 else "n", kept, bound, day


def _need_row(one: Need) -> tuple[str, ...]:
    return (
        f"{one.cameras:,}",
        f"{one.partitions}",
        f"{one.cores}",
        f"{one.mean_mbit:,.1f} Mbit/s",
        f"{one.peak_mbit:,.1f} Mbit/s",
        _time(one.frames_kept_min),
        f"{one.frames_gib:,.1f} GiB",
        _size(one.kafka_bytes),
        _size(one.spool_bytes),
        _size(one.evidence_bytes),
    )


def _time(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes >= 2 else f"{60 * minutes:.0f} s"


def _gib(count: float) -> str:
    return f"{count / GIB:g} GiB"


def _size(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} KB"


if __name__ == "__main__":
    sys.stdout.write(page())
