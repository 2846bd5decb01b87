"""Cores by cameras: measured at 1, 2, 4, 8 and 16, held against what docs/scaling.md says and against a line.

Base is the CPU time that processes used: neighbours on the machine delay it, but hardly change it. One system runs all
the while; cameras are turned on and off: no start and no warming of a JVM lies in between. Each number of cameras is
looked at on the way up and on the way down; the lower one counts, since neighbours only add. The line goes through some
points and is held against the others.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bus.producer import KafkaLink, deliver
from contracts import topics
from contracts.codec import encode
from contracts.config_file import load
from contracts.controls import EdgeChange, EdgeControl, RunCamera, StopCamera, edge_key
from contracts.metrics import DETECT, FRAMES_SENT
from tests.bench.history_rate import history_frame_s
from tests.bench.report import Row, at_most, missing
from tests.bench.site import PATIENCE_S, Up, demo_config, part_of
from vedette.local import BUNDLED
from vedette.scaling import COSTS, MEASURED_FPS, Line, cores_measured_so

CAMERAS = (1, 2, 4, 8, 16)
FITTED, HELD_OUT = (1, 4, 16), (2, 8)
FPS, DETAIL_FPS = MEASURED_FPS, 0.25
"""So little that two cores take 16 cameras with room: 16 frames a second."""
WARM_S, SETTLE_S, LOOK_S = 20.0, 5.0, 16.0
KEPT_UP = 0.9
"""The jobs must have done this share of what was sent while it was measured, or it says nothing of what it costs."""
WITHIN = 0.20


@dataclass(frozen=True)
class Point:
    """What was measured with so many cameras: frames a second sent and done, and cores (CPU s a second) by part."""

    cameras: int
    sent_s: float
    done_s: float
    cores: Mapping[str, float]

    @property
    def total(self) -> float:
        """Cores of all parts."""
        return sum(self.cores.values())

    @property
    def kept_up(self) -> bool:
        """Whether what was to be done was done meanwhile."""
        return self.done_s >= KEPT_UP * self.sent_s and self.sent_s >= KEPT_UP * FPS * self.cameras


def scaling(folder: Path, clip: Path, say: Callable[[str], None]) -> list[Row]:
    """A row for each number of cameras against the page, and for those held out against the line of the others."""
    points = _measured(folder, clip, say)
    if behind := [count for count in CAMERAS if count not in points]:
        return [missing("scaling", f"the line over {CAMERAS} cameras", f"too busy a machine at {behind} cameras")]
    for part in COSTS:
        line = line_of([(count, points[count].cores[part]) for count in CAMERAS])
        say(f"  {part}: {line.at_zero:.4f} + {line.a_camera:.5f} cores a camera")
    line = line_of([(count, points[count].total) for count in FITTED])
    return [
        _history_row(folder),
        *(_row(points[count], cores_measured_so(count), "docs/scaling.md") for count in CAMERAS),
        *(_row(points[count], line.at(count), f"the line of {FITTED}") for count in HELD_OUT),
    ]


def _history_row(folder: Path) -> Row:
    """Whether one process writes the history of as many cameras as the page says."""
    bulk = COSTS["history"].bulk
    assert bulk is not None
    took_us, said_us = 1e6 * history_frame_s(folder / "history"), 1e6 * bulk.a_frame_s
    return at_most(
        "scaling", f"history: CPU a frame in bulk; the page says {said_us:.0f}", took_us, 1.2 * said_us, "us", 0
    )


def line_of(points: Sequence[tuple[float, float]]) -> Line:
    """The line of least squares of the relative errors: a point of 0.3 cores counts as much as one of 0.8."""
    x, y = np.asarray(points, float).T
    a_camera, at_zero = np.polyfit(x, y, 1, w=1 / y)
    return Line(float(at_zero), float(a_camera))


def _row(point: Point, said: float, by: str) -> Row:
    name = f"cores of {point.cameras} cameras: {point.total:.3f}, by {by} {said:.3f}; error"
    return at_most("scaling", name, abs(said - point.total) / point.total, WITHIN)


def _measured(folder: Path, clip: Path, say: Callable[[str], None]) -> dict[int, Point]:
    """The better look at each number of cameras; without those at which the jobs fell behind both times."""
    found: dict[int, Point] = {}
    with Up(_config(clip), folder) as up:
        up.lines_until("running")
        _wait_for_frames(up)
        time.sleep(WARM_S)
        cameras = _Cameras(up)
        for count in (*CAMERAS, *reversed(CAMERAS)):
            cameras.run(count)
            time.sleep(SETTLE_S)
            point = _look(up, count)
            say(
                f"  {count} cameras: {point.total:.3f} cores, {point.sent_s:.1f} frames/s sent, {point.done_s:.1f} done"
            )
            if point.kept_up and (count not in found or point.total < found[count].total):
                found[count] = point
        cameras.close()
    return found


class _Cameras:
    """Turns cameras of the system on and off, as the console does: the agent is told on its topic."""

    def __init__(self, up: Up) -> None:
        self._config = load(up.state.parent / "config.yaml")
        self._link = KafkaLink(up.bootstrap)
        self._running = 1

    def run(self, count: int) -> None:
        """So many from now on."""
        names = list(self._config.cameras)
        for name in names[self._running : count]:
            self._tell(RunCamera(camera=name, spec=self._config.cameras[names[0]]))
        for name in names[count : self._running]:
            self._tell(StopCamera(camera=name))
        self._running = count

    def close(self) -> None:
        """Give the connection up."""
        self._link.close(1.0)

    def _tell(self, change: EdgeChange) -> None:
        site, now_ms = self._config.site.name, time.time_ns() // 1_000_000
        value = encode(EdgeControl(site=site, change=change))
        deliver(self._link, topics.EDGE_CONTROLS, edge_key(site, change), value, now_ms, 10.0)


def _wait_for_frames(up: Up) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):  # the jobs serve their metrics once they run
            if _frames(up)[1]:
                return
        time.sleep(0.5)
    raise SystemExit(f"no frame was detected within {PATIENCE_S:g} s\n{up.log('jobs')}")


def _look(up: Up, cameras: int) -> Point:
    before, (sent, done), began_s = _cpu_s(up.process.pid), _frames(up), time.monotonic()
    time.sleep(LOOK_S)
    took_s = time.monotonic() - began_s
    after, (sent_after, done_after) = _cpu_s(up.process.pid), _frames(up)
    cores = {part: (after.get(part, 0.0) - before.get(part, 0.0)) / took_s for part in COSTS}
    return Point(cameras, (sent_after - sent) / took_s, (done_after - done) / took_s, cores)


def _config(clip: Path) -> dict[str, Any]:
    """The demo's first camera so many times, all at a low rate; one runs from the start. Without rules: no alerts."""
    config = demo_config(clip, BUNDLED)
    camera = config["cameras"]["gate"]
    return {
        **config,
        "detect": {"fps": FPS, "detail_fps": DETAIL_FPS},
        "motion": {"linger_s": 600},  # once open the gate stays so
        "cameras": {f"camera-{number}": {**camera, "enabled": number == 0} for number in range(CAMERAS[-1])},
        "rules": {},
    }


def _cpu_s(root: int) -> dict[str, float]:
    """CPU seconds so far, by part; what the command itself takes is no part of a cluster."""
    parts: dict[str, float] = {}
    for process in psutil.Process(root).children(recursive=True):
        times, (part, _, _) = process.cpu_times(), part_of(process).partition(",")
        parts[part] = parts.get(part, 0.0) + times.user + times.system
    return parts


def _frames(up: Up) -> tuple[float, float]:
    """Sent and detected so far."""
    return up.scrape("edge").total(FRAMES_SENT.name), up.scrape("stream").total(f"{DETECT.name}_count")
