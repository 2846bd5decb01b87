"""What detect processes report of models, added up: which runs where, and what a candidate sees otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from contracts.fields import Stage
from contracts.model_reports import Compared, ModelReport, ModelState

QUIET_MS = 30_000
"""A process that has not spoken for so long is no more: frames come every few seconds, also when nothing moves."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What one detect process works with, by its last word."""

    process: str
    at_ms: int
    in_service: str
    candidate: str
    stage: Stage
    state: ModelState
    reason: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate saw otherwise at one camera, of one label, on the `frames` that both looked at.

    `boxes` are those of the model in service, of which it `lost` some; `gained` are its own alone.
    """

    candidate: str
    in_service: str
    camera: str
    label: str
    frames: int
    boxes: int
    gained: int
    lost: int


@dataclass
class _Sum:
    frames: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


class Trials:
    """The reports of one site since this was made. For one thread that takes, and others that read."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._last: dict[str, ModelReport] = {}
        self._sums: dict[tuple[str, str, str], _Sum] = {}

    def take(self, report: ModelReport) -> None:
        """Add one report."""
        if report.site != self._site:
            return
        self._last = {name: one for name, one in self._last.items() if one.at_ms >= report.at_ms - QUIET_MS} | {
            report.process: report
        }
        for one in report.compared:
            self._add(one)

    def running(self, now_ms: int) -> tuple[Running, ...]:
        """The processes that spoke lately."""
        return tuple(
            Running(**{name: getattr(one, name) for name in Running.__struct_fields__})
            for _, one in sorted(self._last.items())
            if one.at_ms >= now_ms - QUIET_MS
        )

    def differences(self, candidates: Iterable[str]) -> tuple[Difference, ...]:
        """Those of these candidates, by camera and label."""
        wanted = set(candidates)
        found = []
        for (candidate, in_service, camera), one in sorted(self._sums.copy().items()):
            if candidate not in wanted:
                continue
            for label in sorted({*one.boxes, *one.gained, *one.lost}):
                found.append(
                    Difference(
                        candidate=candidate,
                        in_service=in_service,
                        camera=camera,
                        label=label,
                        frames=one.frames,
                        boxes=one.boxes[label],
                        gained=one.gained[label],
                        lost=one.lost[label],
                    )
                )
        return tuple(found)

    def _add(self, one: Compared) -> None:
        kept = self._sums.setdefault((one.candidate, one.in_service, one.camera), _Sum())
        kept.frames += one.frames
        kept.boxes.update(one.boxes)
        kept.gained.update(one.gained)
        kept.lost.update(one.lost)
