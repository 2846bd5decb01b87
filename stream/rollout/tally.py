"""Counts what the models of a process do between two reports."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.messages import Detection
from contracts.model_reports import Compared, Served
from stream.rollout.compare import Difference


class Pair(NamedTuple):
    """A candidate on the frames of a camera, held against the model in service."""

    camera: str
    candidate: str
    in_service: str


@dataclass
class _Served:
    frames: int = 0
    errors: int = 0
    seconds: float = 0.0
    boxes: Counter[str] = field(default_factory=Counter)


@dataclass
class _Compared:
    frames: int = 0
    errors: int = 0
    dropped: int = 0
    candidate_s: float = 0.0
    in_service_s: float = 0.0
    boxes: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    shift: float = 0.0


class Tally:
    """Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[tuple[str, str], _Served] = {}
        self._compared: dict[Pair, _Compared] = {}

    def served(self, camera: str, model: str, seconds: float, boxes: Iterable[Detection]) -> None:
        """One frame whose detections are the model's; `boxes` are the certain ones."""
        with self._lock:
            count = self._served.setdefault((camera, model), _Served())
            count.frames += 1
            count.seconds += seconds
            count.boxes.update(one.label for one in boxes)

    def failed(self, camera: str, model: str) -> None:
        """One frame that the model was to detect and could not."""
        with self._lock:
            self._served.setdefault((camera, model), _Served()).errors += 1

    def compared(self, pair: Pair, difference: Difference, candidate_s: float, in_service_s: float) -> None:
        """One frame that both looked at."""
        with self._lock:
            count = self._compared.setdefault(pair, _Compared())
            count.frames += 1
            count.candidate_s += candidate_s
            count.in_service_s += in_service_s
            count.boxes.update(difference.boxes)
            count.gained.update(difference.gained)
            count.lost.update(difference.lost)
            count.shift += sum(difference.shifts)

    def not_compared(self, pair: Pair, *, failed: bool) -> None:
        """One frame that was to be compared: the model failed on it, or there was no time."""
        with self._lock:
            count = self._compared.setdefault(pair, _Compared())
            if failed:
                count.errors += 1
            else:
                count.dropped += 1

    def drain(self) -> tuple[tuple[Served, ...], tuple[Compared, ...]]:
        """What was counted since the last time."""
        with self._lock:
            served, self._served = self._served, {}
            compared, self._compared = self._compared, {}
        return (
            tuple(Served(camera=camera, model=model, **vars(count)) for (camera, model), count in served.items()),
            tuple(Compared(**pair._asdict(), **vars(count)) for pair, count in compared.items()),
        )
