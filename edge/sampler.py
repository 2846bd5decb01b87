"""Decides which pictures are sent, and which of them at full size: pure, by the time of the pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Worth = Literal["heartbeat", "motion", "detail"]
"""How much a frame is worth when not all can be kept, from the least up."""

WORTHS: tuple[Worth, ...] = ("heartbeat", "motion", "detail")

SMOOTHING = 0.1
"""Share of a new interval in the running one: about ten pictures are remembered."""

CLOSED_LOOK_MS = 200
"""While the gate is closed a picture is looked at five times a second: what moves is seen at most 0.2 s later, and the
other pictures needn't even be converted."""

LONGEST_INTERVAL_MS = 2000
"""A longer silence is an interruption and says nothing about the source's rate."""


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """`fps` frames a second while something moves or moved within `linger_s`, else one every `heartbeat_s`.

    At most `detail_fps` of them at full size. `motion_area` (0-1 of the picture) opens the gate; `gate` false keeps it
    open. `every_frame` sends all pictures, at whatever rate they come.
    """

    fps: float
    detail_fps: float
    heartbeat_s: float
    linger_s: float
    motion_area: float
    gate: bool = True
    every_frame: bool = False


@dataclass(frozen=True)
class SamplerState:
    """Times in ms of picture time; None before the first. `interval_ms` is the source's own running interval."""

    seen_at_ms: int | None = None
    interval_ms: float = 0.0
    look_next_ms: float | None = None
    detail_next_ms: float | None = None
    moved_at_ms: int | None = None
    sent_at_ms: int | None = None
    open: bool = False


@dataclass(frozen=True)
class Decision:
    """What becomes of a picture."""

    send: bool
    detail: bool = False
    worth: Worth = "heartbeat"


GATED = Decision(send=False)


class Sampler:
    """`observe` every picture; `step` those that are due, with the motion measured in them."""

    def __init__(self, config: SamplerConfig) -> None:
        self.config = config

    def observe(self, state: SamplerState, captured_at_ms: int) -> tuple[SamplerState, bool]:
        """Whether the picture is due to be looked at; thins a source faster than `fps` out evenly."""
        state = replace(state, seen_at_ms=captured_at_ms, interval_ms=_interval(state, captured_at_ms))
        if self.config.every_frame:
            return state, True
        interval = 1000 / self.config.fps
        if self.config.gate and not state.open:
            interval = max(interval, CLOSED_LOOK_MS)
        due, following = _on_grid(state.look_next_ms, captured_at_ms, interval, min(state.interval_ms, interval) / 2)
        return replace(state, look_next_ms=following), due

    def step(self, state: SamplerState, captured_at_ms: int, motion: float) -> tuple[SamplerState, Decision]:
        """Decide on a picture that is due; `motion` is the share of it that changed."""
        config = self.config
        moving = motion >= config.motion_area
        moved_at_ms = captured_at_ms if moving else state.moved_at_ms
        is_open = not config.gate or _recent(moved_at_ms, captured_at_ms, config.linger_s * 1000)
        if is_open and not state.open:
            state = replace(state, look_next_ms=captured_at_ms + 1000 / config.fps)
        state = replace(state, moved_at_ms=moved_at_ms, open=is_open)
        beat = not _recent(state.sent_at_ms, captured_at_ms, config.heartbeat_s * 1000 - self._tolerance_ms(state))
        if not (config.every_frame or is_open or beat):
            return state, GATED
        state, detail = self._detail(replace(state, sent_at_ms=captured_at_ms), captured_at_ms)
        if not (config.every_frame or is_open):
            return state, Decision(True, detail, "heartbeat")
        return state, Decision(True, detail, "detail" if detail else "motion")

    def _detail(self, state: SamplerState, captured_at_ms: int) -> tuple[SamplerState, bool]:
        """Evenly spaced; after a pause the first frame, which is the one that opened the gate."""
        if self.config.detail_fps <= 0:
            return state, False
        interval = 1000 / self.config.detail_fps
        tolerance = min(self._tolerance_ms(state), interval / 2)
        due, following = _on_grid(state.detail_next_ms, captured_at_ms, interval, tolerance)
        return replace(state, detail_next_ms=following), due

    def _tolerance_ms(self, state: SamplerState) -> float:
        """Half the time between two pictures that are looked at: the nearest to the wanted time is taken."""
        looked = state.interval_ms if self.config.every_frame else max(state.interval_ms, 1000 / self.config.fps)
        return looked / 2


def _interval(state: SamplerState, at_ms: int) -> float:
    if state.seen_at_ms is None:
        return state.interval_ms
    passed = at_ms - state.seen_at_ms
    if not 0 < passed <= LONGEST_INTERVAL_MS:
        return state.interval_ms
    return passed if state.interval_ms == 0 else state.interval_ms + SMOOTHING * (passed - state.interval_ms)


def _on_grid(next_ms: float | None, at_ms: int, interval: float, tolerance: float) -> tuple[bool, float]:
    """Whether the grid point `next_ms` is reached (within `tolerance`), and the point to wait for.

    Counting on from the grid and not from the picture keeps the mean rate: 25 pictures a second at a wanted 10 come
    out as 80, 120, 80, 120 ms. A point more than an interval away, in either direction (pause, clock set back),
    starts the grid anew.
    """
    if next_ms is None or next_ms - at_ms > interval + tolerance:
        return True, at_ms + interval
    if at_ms < next_ms - tolerance:
        return False, next_ms
    following = next_ms + interval
    return True, following if following > at_ms else at_ms + interval


def _recent(then_ms: int | None, at_ms: int, within_ms: float) -> bool:
    """Whether `then_ms` is less than `within_ms` ago; a time ahead (the clock was set back) isn't."""
    return then_ms is not None and 0 <= at_ms - then_ms < max(within_ms, 1)
