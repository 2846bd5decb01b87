"""Cameras in real time and models that are promoted meanwhile: which model each frame got, and when."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from contracts import topics
from contracts.codec import encode
from contracts.controls import LEAD_MS, Control, EndCandidate, SetModel
from contracts.manifest import ModelManifest
from contracts.messages import Frame, FrameDetections
from tests.jobs.world import SiteUnderTest, frame
from tests.kafka_tools import Writer

CAMERAS = ("gate", "yard")
FPS = 10
CELLS = [(column, row) for column in (0, 2) for row in (0, 1, 2)]
PEOPLE = MappingProxyType({camera: frame(camera, 0, CELLS) for camera in CAMERAS})
"""Somebody in half of the picture's cells, all the time."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Cameras:
    """Each sends its frame FPS times a second, as one taken then, from a thread until the end of the block."""

    def __init__(self, site: SiteUnderTest, frames: Mapping[str, Frame] = PEOPLE) -> None:
        self.sent = 0
        self._site = site
        self._producer = Writer(site.system.bootstrap)
        self._frames = frames
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def __enter__(self) -> Cameras:
        """Returns once the jobs run and no frame waits: what came before they did would be late for minutes."""
        self._send()
        self._site.wait("the first frames", lambda: len(told(self._site).detections) >= len(self._frames))
        self._thread.start()
        self._site.wait("no frame that waits", lambda: self._lag_ms() < 1000)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush()

    def _run(self) -> None:
        began_s = time.monotonic()
        while not self._stop.wait(max(0.0, began_s + self.sent / FPS - time.monotonic())):
            self._send()

    def _send(self) -> None:
        for number, (camera, picture) in enumerate(self._frames.items()):
            one = replace(picture, index=self.sent, captured_at_ms=now_ms(), detail=self.sent % 5 == 0)
            self._producer.send(topics.frames("site"), encode(one), camera.encode(), number)
        self.sent += 1

    def _lag_ms(self) -> int:
        """How old the newest frame is that was detected."""
        return now_ms() - max(one.captured_at_ms for one in told(self._site).detections)


class Swap(NamedTuple):
    """From this time on frames are this model's."""

    from_ms: int
    model: str


def swap(site: SiteUnderTest, change: SetModel, lead_ms: int = LEAD_MS) -> Swap:
    """Promote a model with so much time for loading it."""
    from_ms = now_ms() + lead_ms
    control = Control(site="site", origin="console", version=from_ms, effective_from_ms=from_ms, change=change)
    site.control(control)
    return Swap(from_ms, change.manifest.id)


def swap_often(
    site: SiteUnderTest, models: Sequence[ModelManifest], folder: str, every_s: float, lead_ms: int = LEAD_MS
) -> list[Swap]:
    """One after the other everywhere; returns once the last has been in service for as long as the others."""
    made, began_s = [], time.monotonic()
    for number, manifest in enumerate(models):
        time.sleep(max(0.0, began_s + number * every_s - time.monotonic()))
        made.append(swap(site, SetModel(manifest=manifest, folder=folder), lead_ms))
    time.sleep(lead_ms / 1000 + every_s)
    return made


@dataclass(frozen=True)
class Told:
    """What the detections of a run say."""

    detections: list[FrameDetections]

    def counts(self, camera: str) -> Counter[int]:
        """How often each index of the camera was told."""
        return Counter(one.index for one in self.detections if one.camera == camera)

    def misplaced(self, first: str, swaps: Sequence[Swap]) -> list[tuple[int, str]]:
        """The frames that another model had than the one of their time, by time."""
        stages = [Swap(0, first), *swaps]
        return [
            (one.captured_at_ms, one.model)
            for one in self.detections
            if one.model != [stage.model for stage in stages if stage.from_ms <= one.captured_at_ms][-1]
        ]

    def p95_ms(self, begun_ms: int, swaps: Sequence[Swap]) -> tuple[float, float]:
        """Capture to detection, the 95th percentile: in the second from each swap on, and in all other ones."""
        within, without = [], []
        for one in self.detections:
            if one.captured_at_ms < begun_ms:
                continue
            in_swap = any(swap.from_ms <= one.captured_at_ms < swap.from_ms + 1000 for swap in swaps)
            (within if in_swap else without).append(one.detected_at_ms - one.captured_at_ms)
        return float(np.percentile(within, 95)), float(np.percentile(without, 95))


def ends(site: SiteUnderTest) -> dict[str, tuple[int, EndCandidate]]:
    """The candidates that were taken back so far: from when on, and why."""
    return {
        control.change.model: (control.effective_from_ms, control.change)
        for control in site.messages(topics.CONTROLS, Control)
        if isinstance(control.change, EndCandidate)
    }


def told(site: SiteUnderTest) -> Told:
    """All detections by now."""
    return Told(site.messages(topics.DETECTIONS, FrameDetections))
