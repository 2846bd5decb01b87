"""Search back in time in a million sightings: `python -m tests.bench.sightings_bench [--count N]`.

The folder is written by what writes it in service; a process of its own then opens it and searches, so that its memory
is that of the search alone.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from archive.sightings import Query, Search
from archive.sightings.folder import SightingsFolder
from tests.sighting_tools import DAY, MODEL, T0_MS, directions, looking, sighting
from vault import DayKeys, Key

COUNT = 1_000_000
DAYS = 30
PEOPLE, TIMES, SEARCHES = 200, 5, 200
CAMERAS = tuple(f"camera-{number}" for number in range(20))
DAY_MS = 86_400_000


def write(root: Path, count: int) -> dict[int, str]:
    """`count` sightings over DAYS, among them PEOPLE of seed 7 TIMES each; returns the days' keys in base64."""
    rng, known = np.random.default_rng(7), np.random.default_rng(7)
    people = directions(PEOPLE, known)
    raw = {DAY + day: rng.bytes(32) for day in range(DAYS)}
    keys = _keys({day: base64.b64encode(key).decode() for day, key in raw.items()})
    folder = SightingsFolder(root, keys)
    again = iter([(who, looking(people[who], 0.8, known)) for who in range(PEOPLE) for _ in range(TIMES)])
    places = set(rng.choice(count, PEOPLE * TIMES, replace=False).tolist())
    step = 2000
    for start in range(0, count, step):
        day = (start // step) % DAYS
        vectors = directions(min(step, count - start), rng)
        some = []
        for number, vector in enumerate(vectors, start):
            who, seen = next(again) if number in places else (-1, vector)
            at_ms = T0_MS + day * DAY_MS + number % DAY_MS
            camera = CAMERAS[number % len(CAMERAS)]
            some.append(sighting(number, seen, keys, at_ms, camera=camera, person_id="" if who < 0 else f"p-{who}"))
        folder.add(some)
    folder.tidy(int((time.time() + 2 * 3600) * 1000), 10**6)
    return {day: base64.b64encode(key).decode() for day, key in raw.items()}


def measure(root: Path, keys: dict[int, str]) -> dict[str, float]:
    """Opens and searches in this process: seconds, milliseconds (p50, p95, CPU), MiB, and the share of people found."""
    process = psutil.Process()
    people = directions(PEOPLE, np.random.default_rng(7))
    search = Search(root, _keys(keys))
    before = process.memory_info().rss
    began_s = time.perf_counter()
    count = search.refresh()
    start_s = time.perf_counter() - began_s
    took_ms, worked_ms, hits = [], [], 0
    for number in range(SEARCHES):
        query = Query(people[number % PEOPLE], MODEL, frozenset(CAMERAS), most=50)
        began_s, worked_s = time.perf_counter(), time.process_time()
        found = search.find(query)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        worked_ms.append((time.process_time() - worked_s) * 1000)
        hits += sum(one.sighting.person_id == f"p-{number % PEOPLE}" for one in found[:TIMES])
    return {
        "count": count,
        "start_s": start_s,
        "p50_ms": float(np.percentile(took_ms, 50)),
        "p95_ms": float(np.percentile(took_ms, 95)),
        "cpu_p95_ms": float(np.percentile(worked_ms, 95)),
        "mib": (process.memory_info().rss - before) / 2**20,
        "found": hits / (SEARCHES * TIMES),
    }


def bench(count: int = COUNT) -> dict[str, float]:
    """Write the folder and measure in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "sightings"
        keys = write(root, count)
        command = [sys.executable, "-m", "tests.bench.sightings_bench", "--folder", str(root)]
        done = subprocess.run(command, input=json.dumps(keys), capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        found["disk_mib"] = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 2**20
        return found


def _keys(encoded: dict[int, str]) -> DayKeys:
    keys = DayKeys("site")
    for day, key in encoded.items():
        keys.put(int(day), Key(base64.b64decode(key)))
    return keys


def main() -> int:
    """Print the figures; with --folder those of a folder that is there, its keys on stdin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    print(json.dumps(measure(given.folder, json.load(sys.stdin)) if given.folder else bench(given.count)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
