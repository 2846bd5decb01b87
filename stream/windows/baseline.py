"""Compares a window with what is usual on this camera at this hour of the week, and says when it is not.

A robust running mean and deviation (exponentially weighted, with weights as in Huber, "Robust Statistics", 1981)
over values made comparable by Anscombe's square root ("The transformation of Poisson, binomial and
negative-binomial data", Biometrika 35, 1948): after it a count has about the same deviation whatever its mean.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import uuid
import zoneinfo

import msgspec

from contracts.messages import Condition, Event, WindowStats

STATE_VERSION = 1
WEEK_MS = 7 * 86_400_000
DAY_MS = 86_400_000
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://vedette.org/anomaly")
LEVELS = ("this hour of the week", "this hour of the day", "all hours")
VALUES = ("occupancy", "entered")

LEAST_OBSERVED = 0.5
"""A window of which less was observed says too little: its counts would be scaled up more than twofold."""

FULL_WEIGHT_BELOW = 2.5
"""A window within so many deviations updates the baseline fully, one at z with (2.5 / z)²: so whatever it is, it adds
at most 2.5² variances, and a lasting change is still learned in the end. 1.2 % of normal windows are beyond it."""

FLOORS = (0.5, 1.0)
"""The least deviation of (occupancy, entered) after the square root. A zone that was always empty has measured 0,
and any visitor would be infinitely strange. 1 is the noise that a count has by itself (Poisson): where nobody ever
came, seven in one window score 4. The mean of a window is steadier than a count: at 0.5 one thing for a whole window
where there never was one scores 2.2, three score 4.9. One visitor is what the zone's own rules are for.
Normal Poisson traffic, from the second week on: at most 5 of a week's 10,080 windows of a minute reach 4."""


class BaselineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`score` is from how many deviations on a window is an event: the lowest of the anomaly rules that listen."""

    time_zone: str
    baseline_weeks: float = 4.0
    min_windows: int = 30
    score: float = 4.0


class Bucket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Running figures of one hour: the weight of its windows, and mean and variance of (occupancy, entered)."""

    at_ms: int = 0
    weight: float = 0.0
    mean: tuple[float, float] = (0.0, 0.0)
    variance: tuple[float, float] = (0.0, 0.0)


class BaselineState(msgspec.Struct, frozen=True, kw_only=True):
    """What one (camera, zone, label) carries: 168 hours of the week, 24 of the day and one for all, so about 15 KB.

    `since_ms` is the start of the first window; `abnormal_since_ms` that of the anomaly that is going on, 0 for none.
    """

    v: int = STATE_VERSION
    since_ms: int = 0
    abnormal_since_ms: int = 0
    buckets: dict[int, Bucket] = {}


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a window was compared with: which hours, how many windows of them, mean and deviation of both values."""

    level: str
    windows: float
    mean: tuple[float, float]
    deviation: tuple[float, float]


class Baseline:
    """The usual of one (camera, zone, label); the host keeps a state for each."""

    def __init__(self, config: BaselineConfig) -> None:
        self.config = config

    def step(self, state: BaselineState, stats: WindowStats) -> tuple[BaselineState, Event | None]:
        """Score one row against what came before it, then learn it; an event when it is abnormal, or is so no more.

        Left out are rows of the late lane (an alert now about then helps nobody), rows of all labels together (they
        repeat the others), and windows of which less than half was observed.
        """
        window_ms = stats.end_ms - stats.start_ms
        if stats.lane == "late" or not stats.label or stats.observed_ms < LEAST_OBSERVED * window_ms:
            return state, None
        if not state.buckets:
            state = msgspec.structs.replace(state, since_ms=stats.start_ms)
        hours = _hours(stats.start_ms, self.config.time_zone)
        values = (stats.occupancy_ms / stats.observed_ms, stats.entered * window_ms / stats.observed_ms)
        expected = self._expected(state, hours, stats.start_ms)
        if expected is None:
            return self._learned(state, hours, stats.start_ms, values, 1.0), None
        scores = _scores(values, expected)
        score = max(abs(one) for one in scores)
        share = 1.0 if score <= FULL_WEIGHT_BELOW else (FULL_WEIGHT_BELOW / score) ** 2
        learned = self._learned(state, hours, stats.start_ms, values, share)
        abnormal, was_abnormal = score >= self.config.score, state.abnormal_since_ms > 0
        if not abnormal and not was_abnormal:
            return learned, None
        since_ms = (state.abnormal_since_ms or stats.start_ms) if abnormal else 0
        event = _event(stats, score, self._trace(values, scores, expected), ended=not abnormal)
        return msgspec.structs.replace(learned, abnormal_since_ms=since_ms), event

    def _expected(self, state: BaselineState, hours: tuple[int, int, int], at_ms: int) -> Expected | None:
        """The narrowest level that has seen enough; None until there is one.

        All hours together are no measure until they have been through a day: before, every morning is an anomaly.
        """
        if at_ms - state.since_ms < DAY_MS:
            return None
        for level, hour in zip(LEVELS, hours, strict=True):
            bucket = state.buckets.get(hour, Bucket())
            windows = bucket.weight * self._decay(bucket, at_ms)
            if windows < self.config.min_windows:
                continue
            # The mean of n windows is itself uncertain by 1/n of their variance.
            occupancy, entered = (math.sqrt(variance * (1 + 1 / windows)) for variance in bucket.variance)
            return Expected(
                level=level,
                windows=windows,
                mean=bucket.mean,
                deviation=(max(FLOORS[0], occupancy), max(FLOORS[1], entered)),
            )
        return None

    def _learned(
        self, state: BaselineState, hours: tuple[int, int, int], at_ms: int, values: tuple[float, float], share: float
    ) -> BaselineState:
        buckets = dict(state.buckets)
        roots = (_root(values[0]), _root(values[1]))
        for hour in hours:
            bucket = buckets.get(hour, Bucket(at_ms))
            buckets[hour] = _updated(bucket, self._decay(bucket, at_ms), at_ms, roots, share)
        return msgspec.structs.replace(state, buckets=buckets)

    def _decay(self, bucket: Bucket, at_ms: int) -> float:
        return math.exp(-max(0, at_ms - bucket.at_ms) / (self.config.baseline_weeks * WEEK_MS))

    def _trace(
        self, values: tuple[float, float], scores: tuple[float, float], expected: Expected
    ) -> tuple[Condition, ...]:
        conditions = []
        for name, value, score, mean, deviation in zip(
            VALUES, values, scores, expected.mean, expected.deviation, strict=True
        ):
            low, high = (_unroot(mean + side * self.config.score * deviation) for side in (-1, 1))
            conditions.append(
                Condition(
                    name,
                    f"{low:.2f} to {high:.2f}",
                    f"{value:.2f} ({score:+.1f} deviations)",
                    abs(score) >= self.config.score,
                )
            )
        known = f"{expected.windows:.0f} windows of {expected.level}"
        return (*conditions, Condition("baseline", f">= {self.config.min_windows} windows", known))


def _hours(at_ms: int, time_zone: str) -> tuple[int, int, int]:
    """The buckets of a moment: hour of the week (0-167), hour of the day (168-191), all (192), in local time."""
    local = dt.datetime.fromtimestamp(at_ms / 1000, _zone(time_zone))
    return local.weekday() * 24 + local.hour, 168 + local.hour, 192


@functools.cache
def _zone(name: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(name)


def _root(value: float) -> float:
    return 2 * math.sqrt(max(0.0, value) + 0.375)


def _unroot(root: float) -> float:
    return max(0.0, (max(0.0, root) / 2) ** 2 - 0.375)


def _scores(values: tuple[float, float], expected: Expected) -> tuple[float, float]:
    """How many deviations (occupancy, entered) are above (+) or below (-) what is usual."""
    return (
        (_root(values[0]) - expected.mean[0]) / expected.deviation[0],
        (_root(values[1]) - expected.mean[1]) / expected.deviation[1],
    )


def _updated(bucket: Bucket, decay: float, at_ms: int, roots: tuple[float, float], share: float) -> Bucket:
    """West's update of weighted mean and variance (Communications of the ACM 22, 1979) after decay of the old."""
    old = bucket.weight * decay
    weight = old + share
    mean, variance = [], []
    for value, old_mean, old_variance in zip(roots, bucket.mean, bucket.variance, strict=True):
        difference = value - old_mean
        mean.append(old_mean + difference * share / weight)
        variance.append(old / weight * (old_variance + share / weight * difference**2))
    return Bucket(at_ms, weight, (mean[0], mean[1]), (variance[0], variance[1]))


def _event(stats: WindowStats, score: float, trace: tuple[Condition, ...], *, ended: bool) -> Event:
    """The event of one window; its id is the window's, so a replay gives the same one."""
    name = f"{stats.site}/{stats.camera}/{stats.zone}/{stats.label}/{stats.start_ms}/{'ended' if ended else 'anomaly'}"
    return Event(
        id=str(uuid.uuid5(NAMESPACE, name)),
        site=stats.site,
        camera=stats.camera,
        lane=stats.lane,
        kind="anomaly",
        rule="",
        rule_version=0,
        at_ms=stats.end_ms,
        ended=ended,
        label=stats.label,
        zone=stats.zone,
        score=round(score, 3),
        trace=trace,
    )
