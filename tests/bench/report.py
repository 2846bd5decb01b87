"""What a bench says: one row a promise, with the figure, the promise, and whether it is met."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

FAILED, NOT_MEASURED = 1, 3
"""Exit codes; 2 is a wrong command line's."""
VERDICTS = {True: "met", False: "NOT MET", None: "not measured"}
"""By `Row.met`, which may be numpy's truth: equal to Python's, but not the same."""


@dataclass(frozen=True)
class Row:
    """One promise. `met` is None where it could not be measured; `measured` then says why. `load` is filled in last."""

    bench: str
    what: str
    measured: str
    promised: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """The last column."""
        return VERDICTS[self.met]


def at_most(bench: str, what: str, value: float, limit: float, unit: str = "", digits: int = 2) -> Row:
    """A figure that must not be above `limit`."""
    return Row(bench, what, f"{value:.{digits}f}{unit}", f"<= {limit:g}{unit}", value <= limit)


def at_least(bench: str, what: str, value: float, limit: float, unit: str = "", digits: int = 2) -> Row:
    """A figure that must not be below `limit`."""
    return Row(bench, what, f"{value:.{digits}f}{unit}", f">= {limit:g}{unit}", value >= limit)


def missing(bench: str, what: str, why: str, promised: str = "") -> Row:
    """A promise that can't be measured here."""
    return Row(bench, what, why, promised, None)


def table(rows: Iterable[Row]) -> str:
    """The rows, aligned."""
    cells = [("bench", "what", "measured", "promised", ""), ("", "", "", "", "")]
    cells += [(row.bench, row.what, row.measured, row.promised, row.verdict) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def outcome(rows: Iterable[Row]) -> tuple[int, list[str]]:
    """The exit code, and what to say last: how many promises were kept, which not, which were not measured and why.

    The code is 1 when a promise failed, else 3 when something was not measured or nothing was, else 0.
    """
    rows = list(rows)
    by_verdict = {verdict: [row for row in rows if row.verdict == verdict] for verdict in VERDICTS.values()}
    failed, unknown = by_verdict[VERDICTS[False]], by_verdict[VERDICTS[None]]
    lines = [f"{len(rows) - len(failed) - len(unknown)} of {len(rows)} rows met"]
    for those in filter(None, (failed, unknown)):
        lines += [f"{len(those)} {those[0].verdict}:"]
        lines += [f"  {row.bench}, {row.what}: {row.measured}" for row in those]
    return (FAILED if failed else NOT_MEASURED if unknown or not rows else 0), lines


def load() -> str:
    """How busy the machine is with everything, the bench included."""
    one, five, fifteen = os.getloadavg()
    return f"load {one:.1f} {five:.1f} {fifteen:.1f} on {len(os.sched_getaffinity(0))} cores"
