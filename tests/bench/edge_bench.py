"""What the agent costs: CPU a 768x576 camera, sending and gated, against bare read (and encode) in the same run.

    python tests/bench/edge_bench.py [--seconds 20] [--cameras 4] [--clip FILE]

Starts a real broker. The clip is generated (MPEG-4, sensor noise, one thing that moves) unless one is given; the
gated run shows a clip in which nothing moves. Also measured: how fast the spool takes and gives frames.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

from bus.admin import create_topics
from contracts.topics import specs
from edge.spool import Record, Spool
from tests.edge_tools import RunningAgent, statuses_of, write_clip
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

WIDTH, HEIGHT, FPS = 768, 576, 10
SCENE = cv2.resize(np.random.default_rng(1).integers(40, 200, (18, 24, 3), np.uint8), (WIDTH, HEIGHT))


def walking(index: int) -> np.ndarray:
    """A scene with sensor noise and a person-sized thing that walks through it."""
    picture = standing(index)
    left = 8 * index % (WIDTH - 60)
    picture[200:360, left : left + 60] = (30, 60, 220)
    return picture


def standing(index: int) -> np.ndarray:
    """The scene with nothing but sensor noise."""
    noise = np.random.default_rng(index).normal(0, 2, (HEIGHT, WIDTH, 1))
    return np.clip(SCENE + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Bare:
    """CPU ms a picture, one thread, nothing else."""

    read: float
    encode: float
    encode_detect: float


BARE = """
import sys, time, cv2
cv2.setNumThreads(1)
read = encode = small = 0.0
count = 0
until = time.perf_counter() + float(sys.argv[2])
while time.perf_counter() < until:
    capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    while True:
        begun = time.process_time()
        there, picture = capture.read()
        read += time.process_time() - begun
        if not there:
            break
        count += 1
        begun = time.process_time()
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        encode += time.process_time() - begun
        begun = time.process_time()
        cv2.imencode(".jpg", cv2.resize(picture, (640, 480)), [cv2.IMWRITE_JPEG_QUALITY, 85])
        small += time.process_time() - begun
        PAUSE
print(*(1000 * each / count for each in (read, encode, small)))
"""


def bare(clip: Path, seconds: float, *, paced: bool) -> Bare:
    """The loop that does nothing but read and encode: as fast as it goes, or at the camera's own rate."""
    script = BARE.replace("PAUSE", f"time.sleep({1 / FPS})" if paced else "pass")
    out = subprocess.run(
        [sys.executable, "-c", script, str(clip), str(seconds)], capture_output=True, text=True, check=True
    )
    return Bare(*map(float, out.stdout.split()))


def agent_ms(broker: Broker, folder: Path, site: str, clip: Path, cameras: int, seconds: float) -> tuple[float, float]:
    """The agent's CPU ms a captured picture, all of its threads, and the share of pictures that were sent."""
    create_topics(broker.bootstrap, specs(site, 2))
    inputs = {f"c{i}": {"inputs": [{"url": str(clip), "loop": True}]} for i in range(cameras)}
    config = folder / f"{site}.yaml"
    config.write_text(json.dumps({"site": {"name": site}, "edge": {"metrics_port": 0}, "cameras": inputs}))
    with RunningAgent(config, broker.bootstrap, folder / site) as agent:
        wait_until(lambda: len(statuses_of(broker.bootstrap, site)) > 8 * cameras, 60, "it runs evenly")
        process = psutil.Process(agent.process.pid)

        def now() -> tuple[float, int, int]:
            last = {status.camera: status.counters for status in statuses_of(broker.bootstrap, site)}
            cpu = process.cpu_times()
            return cpu.user + cpu.system, sum(c.captured for c in last.values()), sum(c.sent for c in last.values())

        before = now()
        time.sleep(seconds)
        after = now()
        agent.end()
    cpu_s, captured, sent = (b - a for a, b in zip(before, after, strict=True))
    return 1000 * cpu_s / captured, sent / captured


def spool_rates(folder: Path, count: int = 2000, size: int = 50_000) -> tuple[float, float, float]:
    """Frames of 50 KB a second into the spool, out of it, and found again by a start."""
    payload = np.random.default_rng(0).bytes(size)
    spool = Spool(folder / "spool", 1 << 30)
    spool.open()
    records = [Record("gate", "late", "motion", 1, index, 0, 0) for index in range(count)]
    begun = time.perf_counter()
    for record in records:
        spool.append(record, payload)
    written = time.perf_counter()
    for record in records:
        spool.read(record)
    read = time.perf_counter()
    found = Spool(folder / "spool", 1 << 30).open()
    opened = time.perf_counter()
    assert len(found) == count
    return count / (written - begun), count / (read - written), count / (opened - read)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--clip", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Broker(BrokerConfig(Path(name) / "kafka", heap_mb=256)) as broker:
        folder = Path(name)
        moving = given.clip or write_clip(folder / "walking.avi", 300, FPS, walking, "XVID")
        still = write_clip(folder / "standing.avi", 300, FPS, standing, "XVID")
        for clip, label in ((moving, "sending"), (still, "gated")):
            fast, paced = (bare(clip, given.seconds / 4, paced=p) for p in (False, True))
            cost, share = agent_ms(broker, folder, label, clip, given.cameras, given.seconds)
            print(f"{label}: agent {cost:.2f} ms CPU a picture, {share:.0%} sent")
            for each, how in ((fast, "in a tight loop"), (paced, f"at {FPS} a second")):
                wanted = each.read + each.encode if label == "sending" else each.read
                print(
                    f"  bare {how}: read {each.read:.2f}, JPEG {each.encode:.2f}, resized JPEG {each.encode_detect:.2f}"
                    f" -> {cost / wanted:.2f} times {'read + encode' if label == 'sending' else 'read'}"
                )
        into, out, start = spool_rates(folder)
        print(f"spool: {into:.0f} frames/s in, {out:.0f} out, a start finds {start:.0f} a second (50 KB each)")


if __name__ == "__main__":
    main()
