"""What simulated sites came to: vedette/simulated.json, which `python -m tests.bench.simulate` writes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from contracts.decoding import from_json

FILE = Path(__file__).parent / "simulated.json"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One site for `seconds`: rates in frames a second, latencies from shutter to decision in s, shares of 1.

    `busiest` is how busy each station's fullest server is. After a task manager of detect was away for `away_s`,
    `caught_up_s` is how long its tasks had more waiting than before; None where they still had.
    """

    cameras: int
    seconds: float
    load: str
    frames_s: float
    decided_s: float
    p50_s: float
    p95_s: float
    busiest: dict[str, float]
    cameras_of_fullest: int
    away_s: float = 0.0
    caught_up_s: float | None = None
    too_old: int = 0

    @property
    def bottleneck(self) -> str:
        """The station whose fullest server is busiest."""
        return max(self.busiest, key=lambda name: self.busiest[name])


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """All runs, and the figures that they were made with."""

    made_with: dict[str, float]
    runs: tuple[Run, ...]


def read() -> Simulated:
    """What the file says."""
    return from_json(FILE.read_bytes(), Simulated)
