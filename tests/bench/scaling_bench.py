"""Cores and memory by cameras: measured at 1, 2, 4, 8 and 16; the line through the ends against those between."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from contracts.metrics import DETECT, FRAMES_SENT
from tests.bench.report import Row, at_most, missing
from tests.bench.site import Up, demo_config, part_of, pss_mib
from vedette.local import BUNDLED
from vedette.scaling import Line, line_through

CAMERAS = (1, 2, 4, 8, 16)
FPS, DETAIL_FPS = 1.0, 0.25
"""So little that two cores take 16 cameras with room: 16 frames a second."""
SETTLE_S, LOOK_S = 25.0, 30.0
KEPT_UP = 0.9
"""The jobs must have done this share of what was sent while it was measured, or it says nothing of what it costs."""


@dataclass(frozen=True)
class Point:
    """What was measured with so many cameras: frames a second sent and done; by part cores (CPU s a second), MiB."""

    cameras: int
    sent_s: float
    done_s: float
    cores: Mapping[str, float]
    mib: Mapping[str, float]


def scaling(folder: Path, clip: Path, say: Callable[[str], None]) -> list[Row]:
    """A row for each point between the ends, for cores and for memory; the lines of each part for docs/scaling.md."""
    points = []
    for cameras in CAMERAS:
        points.append(_measured(folder / str(cameras), clip, cameras))
        say(f"  {points[-1]}")
        if points[-1].done_s < KEPT_UP * points[-1].sent_s or points[-1].sent_s < KEPT_UP * FPS * cameras:
            return [missing("scaling", f"the line over {CAMERAS} cameras", f"too busy a machine at {cameras} cameras")]
    for part in sorted(points[-1].cores):
        cores = _line(points, lambda point, part=part: point.cores[part])
        mib = _line(points, lambda point, part=part: point.mib[part])
        say(f"  {part}: {cores.at_zero:.3f} + {cores.a_camera:.5f} cores, {mib.at_zero:.0f} + {mib.a_camera:.1f} MiB")
    return [
        *_rows("cores", points, lambda point: sum(point.cores.values())),
        *_rows("memory", points, lambda point: sum(point.mib.values())),
    ]


def _rows(what: str, points: list[Point], value: Callable[[Point], float]) -> list[Row]:
    line = _line(points, value)
    rows = []
    for point in points[1:-1]:
        said, found = line.at(point.cameras), value(point)
        name = f"{what} of {point.cameras} cameras: {found:.2f}, by the line {said:.2f}; error"
        rows.append(at_most("scaling", name, abs(said - found) / found, 0.20))
    return rows


def _line(points: list[Point], value: Callable[[Point], float]) -> Line:
    first, last = points[0], points[-1]
    return line_through((first.cameras, value(first)), (last.cameras, value(last)))


def _measured(folder: Path, clip: Path, cameras: int) -> Point:
    with Up(_config(clip, cameras), folder) as up:
        up.lines_until("running")
        time.sleep(SETTLE_S)
        before, (sent, done), began_s = _cpu_s(up.process.pid), _frames(up), time.monotonic()
        time.sleep(LOOK_S)
        took_s = time.monotonic() - began_s
        after = _cpu_s(up.process.pid)
        cores = {part: (after[part] - before.get(part, 0.0)) / took_s for part in after}
        sent_after, done_after = _frames(up)
        rates = ((sent_after - sent) / took_s, (done_after - done) / took_s)
        return Point(cameras, *rates, cores, pss_mib(up.process.pid))


def _config(clip: Path, cameras: int) -> dict[str, Any]:
    """The demo's first camera so many times, all at a low rate."""
    config = demo_config(clip, BUNDLED)
    camera = config["cameras"]["gate"]
    rules = {name: rule for name, rule in config["rules"].items() if rule.get("zone", "junction") == "junction"}
    return {
        **config,
        "detect": {"fps": FPS, "detail_fps": DETAIL_FPS},
        "motion": {"linger_s": 600},  # once open the gate stays so
        "cameras": {f"camera-{number}": camera for number in range(cameras)},
        "rules": {name: rule for name, rule in rules.items() if "line" not in rule},
    }


def _cpu_s(root: int) -> dict[str, float]:
    """CPU seconds so far, by part."""
    parts: dict[str, float] = {}
    for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
        times, part = process.cpu_times(), part_of(process)
        parts[part] = parts.get(part, 0.0) + times.user + times.system
    return parts


def _frames(up: Up) -> tuple[float, float]:
    """Sent and detected so far."""
    return up.scrape("edge").total(FRAMES_SENT.name), up.scrape("stream").total(f"{DETECT.name}_count")
