"""What a bench says: one row a promise, with the figure, the promise, and whether it is met."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass


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
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met]


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


def load() -> str:
    """How busy the machine is with everything, the bench included."""
    one, five, fifteen = os.getloadavg()
    return f"load {one:.1f} {five:.1f} {fifteen:.1f} on {len(os.sched_getaffinity(0))} cores"
