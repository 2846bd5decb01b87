"""Tells when a camera shows nothing useful: frozen, black, covered or blurred. Pure, by the time of the pictures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2

from contracts.fields import Tamper
from edge.motion import Image

STATES: tuple[Tamper, ...] = ("frozen", "black", "covered", "blurred")


@dataclass(frozen=True, kw_only=True)
class TamperConfig:
    """Grey levels are 0-255.

    A suspicion counts after its hold time and ends after `clear_s` without it. `frozen_s` is longer than the others:
    an encoder that skips unchanged blocks repeats a quiet picture exactly until its next key frame.
    """

    frozen_s: float = 15.0
    black_s: float = 3.0
    covered_s: float = 3.0
    blurred_s: float = 5.0
    clear_s: float = 2.0
    black_level: float = 32.0
    flat_spread: float = 20.0
    flat_edges: float = 1.2
    blurred_share: float = 0.25
    sharpness_s: float = 600.0


@dataclass(frozen=True)
class Appearance:
    """What the checks look at: grey mean and spread, mean edge strength, sharpness (None: not measured), identity."""

    mean: float
    spread: float
    edges: float
    identity: int
    sharpness: float | None = None


@dataclass(frozen=True)
class Suspicion:
    """Since when a thing is seen, and since when it isn't (None: not so)."""

    since_ms: int | None = None
    gone_ms: int | None = None
    reported: bool = False


@dataclass(frozen=True)
class TamperState:
    """`sharpness` is the camera's own running reference; `blurred` the last thing that was known of it."""

    at_ms: int | None = None
    identity: int | None = None
    sharpness: float | None = None
    blurred: bool = False
    suspicions: dict[Tamper, Suspicion] = field(default_factory=dict)


class TamperCheck:
    """Gives the tamper states of a camera from the appearance of its pictures."""

    def __init__(self, config: TamperConfig) -> None:
        self.config = config

    def step(self, state: TamperState, captured_at_ms: int, look: Appearance) -> tuple[TamperState, tuple[Tamper, ...]]:
        """Return the state after this picture and what has to be reported with it."""
        passed_ms = 0 if state.at_ms is None else max(captured_at_ms - state.at_ms, 0)
        blurred, sharpness = self._blurred(state, look, passed_ms)
        seen: dict[Tamper, bool] = {
            "frozen": look.identity == state.identity,
            "black": self._black(look),
            "covered": not self._black(look) and self._flat(look),
            "blurred": blurred and not self._flat(look),
        }
        suspicions = {
            kind: self._follow(state.suspicions.get(kind, Suspicion()), there, captured_at_ms, self._hold_ms(kind))
            for kind, there in seen.items()
        }
        state = TamperState(captured_at_ms, look.identity, sharpness, blurred, suspicions)
        return state, tuple(kind for kind in STATES if suspicions[kind].reported)

    def _black(self, look: Appearance) -> bool:
        return look.mean + 3 * look.spread < self.config.black_level

    def _flat(self, look: Appearance) -> bool:
        return look.spread < self.config.flat_spread and look.edges < self.config.flat_edges

    def _blurred(self, state: TamperState, look: Appearance, passed_ms: int) -> tuple[bool, float | None]:
        """Whether the picture is far less sharp than usual, and the reference after it."""
        if look.sharpness is None or self._flat(look) or self._black(look):
            return state.blurred, state.sharpness
        if state.sharpness is None:
            return False, look.sharpness
        blurred = look.sharpness < self.config.blurred_share * state.sharpness
        # While blurred the reference follows six times slower: it gives in to a change for good within hours.
        time_constant_ms = self.config.sharpness_s * 1000 * (6 if blurred else 1)
        share = min(passed_ms / time_constant_ms, 1.0)
        return blurred, state.sharpness + share * (look.sharpness - state.sharpness)

    def _hold_ms(self, kind: Tamper) -> float:
        config = self.config
        seconds = {
            "frozen": config.frozen_s,
            "black": config.black_s,
            "covered": config.covered_s,
            "blurred": config.blurred_s,
        }
        return seconds[kind] * 1000

    def _follow(self, before: Suspicion, there: bool, at_ms: int, hold_ms: float) -> Suspicion:
        if there:
            since_ms = at_ms if before.since_ms is None else before.since_ms
            return Suspicion(since_ms, None, before.reported or at_ms - since_ms >= hold_ms)
        if not before.reported:
            return Suspicion()
        gone_ms = at_ms if before.gone_ms is None else before.gone_ms
        if at_ms - gone_ms >= self.config.clear_s * 1000:
            return Suspicion()
        return replace(before, gone_ms=gone_ms)


def appearance(small: Image, picture: Image | None = None) -> Appearance:
    """Measure a small grey picture (h, w), and the sharpness on the full `picture` (H, W, 3) where one is given.

    Edges are measured on a quarter of the small size, where a sensor's noise is averaged away: ten scenes have 5 to 34
    there (2 to 10 at a third of the light), a covered lens 0.1 to 0.5. Sharpness is the Laplacian's variance
    over the grey values' own, so that dusk is no blur.
    """
    mean, spread = cv2.meanStdDev(small)
    height, width = small.shape
    coarse = cv2.resize(small, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    edges = cv2.mean(cv2.convertScaleAbs(cv2.Laplacian(coarse, cv2.CV_16S)))[0]
    sharpness = None
    if picture is not None:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        _, detail = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
        _, contrast = cv2.meanStdDev(grey)
        sharpness = float(detail[0, 0] ** 2 / (contrast[0, 0] ** 2 + 1))
    return Appearance(float(mean[0, 0]), float(spread[0, 0]), edges, hash(small.tobytes()), sharpness)
