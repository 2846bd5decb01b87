"""Runs the benches one after the other and prints a row a promise: `python -m tests.bench [BENCH ...] --shared DIR`.

Exit codes: 0 all promises were measured and met, 1 one is not met, 2 a wrong command line, 3 none failed but some were
not measured (the last lines say which and why).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import others, system_bench
from tests.bench.priority import hurry
from tests.bench.report import Row, load, missing, outcome, table
from tests.bench.site import recorded_clip
from vedette.errors import SetupError

Bench = Callable[[argparse.Namespace], list[Row]]


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: see above."""
    given = _parser().parse_args(arguments)
    if given.nice:
        hurry(given.nice)
    rows: list[Row] = []
    for name in given.benches or GROUPS:
        rows += GROUPS[name](given)
    code, lines = outcome(rows)
    say("\n".join(["", table(rows), "", load(), "", *lines]))
    return code


def _system(given: argparse.Namespace) -> list[Row]:
    wanted = {name: bench for name, bench in system_bench.BENCHES.items() if name in (given.only or (name,))}
    try:
        clip = recorded_clip(given.shared)
    except SetupError as error:
        return [missing(name, "needs a clip", error.found) for name in wanted]
    say(f"the cameras show {clip}")
    rows: list[Row] = []
    for name, bench in wanted.items():
        began_s = time.monotonic()
        say(f"{name}: {load()}")
        rows += bench(clip, given.seconds, say)
        say(f"{name}: {time.monotonic() - began_s:.0f} s, {load()}\n{table(rows)}")
    return rows


GROUPS: dict[str, Bench] = {"system": _system} | {
    name: (lambda given, bench=bench: list(bench(given.shared, given.trackers_python, say)))
    for name, bench in others.BENCHES.items()
}


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument(
        "--shared", type=Path, default=Path("../shared"), metavar="DIR", help="the recorded data, if there"
    )
    parser.add_argument("--only", nargs="+", choices=list(system_bench.BENCHES), help="of the system's benches")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long latency and memory look on")
    parser.add_argument("--nice", type=int, default=0, help="of everything that is started (below 0: as root)")
    parser.add_argument(
        "--trackers-python", type=Path, metavar="PY", help="a Python with trackers==2.6.1 (see tracking_bench)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
