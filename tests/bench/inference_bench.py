"""Pictures a second of the detector by batch, on a GPU where there is one, and what a picture costs the CPU beside it.

    python -m tests.bench inference

The last line is what `vedette/scaling.py` wants as its GPU. On a CPU it only shows that batches gain nothing there.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from prometheus_client import CollectorRegistry

from contracts.manifest import load_manifest
from contracts.metrics import Metrics
from stream.vision import BatchConfig, Batcher, ModelSlot, SessionOptions
from stream.vision.session import Session
from tests.bench.report import Row, at_least
from tests.bench.vision_bench import picture_of, stages
from tests.builders import jpeg_of
from vedette.local import BUNDLED
from vedette.scaling import Inference

BATCHES = (1, 2, 4, 8, 16)
LOOK_S = 4.0
ROUNDS = 40
BESIDE = ("decode", "letterbox", "read boxes", "messages")
"""Stages of a picture that stay on the CPU."""


def inference(shared: Path, say: Callable[[str], None]) -> list[Row]:
    """A row: the best batch against pictures one by one (a GPU gains by batches, a CPU need not)."""
    cv2.setNumThreads(1)
    slot = ModelSlot(SessionOptions(), metrics := Metrics(CollectorRegistry()))
    slot.swap(load_manifest(BUNDLED), BUNDLED.parent)
    session = slot.get()
    pictures_s = {batch: rate_of(session, batch) for batch in BATCHES}
    found = stages(_jpeg(shared), (640, 480), slot, Batcher(BatchConfig(), metrics), ROUNDS)
    measured = Inference(_device(session), pictures_s, sum(found[stage] for stage in BESIDE) / 1000)
    for batch, rate in pictures_s.items():
        say(f"  {session.provider}, batches of {batch}: {rate:.0f} pictures/s")
    say(f"  beside it {1000 * measured.beside_s:.2f} ms of CPU a picture")
    say(f"  {measured}")
    gain = max(pictures_s.values()) / pictures_s[1]
    return [at_least("inference", f"the best batch against one by one, {measured.device}", gain, 1.0)]


def rate_of(session: Session, batch: int) -> float:
    """Pictures a second: the median of runs, of wall time on a GPU, of this process's CPU time (one thread) on a
    CPU."""
    clock = time.perf_counter if session.on_gpu else time.process_time
    width, height = session.input_size
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 255, (height, width, 3), np.uint8) for _ in range(batch)]
    session.infer(pictures)
    took_s, until_s = [], time.monotonic() + LOOK_S
    while time.monotonic() < until_s:
        began_s = clock()
        session.infer(pictures)
        took_s.append(clock() - began_s)
    return batch / statistics.median(took_s)


def _jpeg(shared: Path) -> bytes:
    """A recorded picture, or where there are no recordings a soft pattern, which decodes about as fast."""
    if shared.is_dir():
        return picture_of(shared, "640x480")
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    return jpeg_of(cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC), 85)


def _device(session: Session) -> str:
    if not session.on_gpu or shutil.which("nvidia-smi") is None:
        return f"{session.provider} on {platform.machine()}, one thread"
    ask = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines()[0]
