"""How fast a million tracks are searched, and added up for a page: `python -m tests.bench.history_bench [--count N]`.

The files are those that the writer leaves: one a day and kind. Each kind of question is asked over and over with other
values; the first, which opens the database, counts like the others.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from archive.history import catalog, figures
from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from archive.history.search import Place, Search, Wanted
from tests.history_tools import AT_MS, COLOURS, track_row, window_row

COUNT = 1_000_000
DAYS = 30
ASKED = 40
LIMIT = 51
DAY_MS = catalog.DAY_MS
CAMERAS = tuple(f"cam-{number:02}" for number in range(20))


def write(mirror: Mirror, count: int) -> None:
    """`count` tracks and 20 cameras' windows over DAYS."""
    writer, chance, files = ParquetWriter(mirror), random.Random(1), []
    for day in range(DAYS):
        start_ms, each = AT_MS + day * DAY_MS, count // DAYS
        files += writer.write(
            track_row(
                day * each + number,
                first_ms=start_ms + number * (DAY_MS // each),
                camera=chance.choice(CAMERAS),
                rules=("rare",) if chance.random() < 1e-4 else (),
            )
            for number in range(each)
        )
        files += writer.write(
            window_row(0, id=f"{day}/{camera}/{minute}", camera=camera, start_ms=start_ms + 60_000 * minute)
            for camera in CAMERAS
            for minute in range(1440)
        )
    catalog.commit(mirror, catalog.Catalogue(files=tuple(files)), GatherState())
    writer.close()


def bench(count: int = COUNT) -> dict[str, float]:
    """Milliseconds (p95) of a page under any filter, and of figures (p50), and the MiB that asking took."""
    with tempfile.TemporaryDirectory() as folder:
        write(Mirror(Path(folder)), count)
        before = psutil.Process().memory_full_info().uss
        search, chance = Search(Mirror(Path(folder))), random.Random(2)
        pages = [milliseconds(lambda: search.tracks(some(chance), after(chance), LIMIT)) for _ in range(ASKED * 4)]
        day = Wanted(since_ms=AT_MS + 5 * DAY_MS, until_ms=AT_MS + 6 * DAY_MS)
        one = Wanted(cameras=CAMERAS[:1], since_ms=day.since_ms, until_ms=day.until_ms)
        questions: dict[str, Callable[[], object]] = {
            "occupancy": lambda: figures.stays(search, day, day.since_ms, 3_600_000),
            "ways": lambda: (figures.flows(search, day), figures.crossings(search, day)),
            "heat": lambda: figures.heat(search, one, 96, 72),
        }
        found = {name: statistics.median(milliseconds(ask) for _ in range(10)) for name, ask in questions.items()}
        found |= {"page_p50": statistics.median(pages), "page_p95": statistics.quantiles(pages, n=20)[-1]}
        found["mib"] = (psutil.Process().memory_full_info().uss - before) / 2**20
        search.close()
        return found


def some(chance: random.Random) -> Wanted:
    """A filter as people make them, one in four of something rare."""
    since_ms = AT_MS + chance.randrange(DAYS) * DAY_MS
    return Wanted(
        cameras=(chance.choice(CAMERAS),) if chance.random() < 0.5 else None,
        labels=("car",) if chance.random() < 0.3 else (),
        colours=(chance.choice(COLOURS[:5]),) if chance.random() < 0.5 else (),
        zones=("door",) if chance.random() < 0.3 else (),
        rules=("rare",) if chance.random() < 0.25 else (),
        since_ms=since_ms if chance.random() < 0.5 else 0,
    )


def after(chance: random.Random) -> Place | None:
    """The first page, or one in the middle."""
    return Place(AT_MS + chance.randrange(DAYS * DAY_MS), "gate") if chance.random() < 0.5 else None


def milliseconds(ask: Callable[[], object]) -> float:
    """How long a question took."""
    began_s = time.perf_counter()
    ask()
    return (time.perf_counter() - began_s) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    for name, value in bench(parser.parse_args().count).items():
        print(f"{name}: {value:.1f}")
