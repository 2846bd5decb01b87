"""The verdict on a candidate, of what both models saw in the frozen pictures: pure.

A place (a camera's boxes of one label) is lost when it got worse by more than the tolerance and not by chance; worse by
that much, but maybe by chance, is a doubt, which is said and refuses nothing: with many places some are always worse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from training.gate.measure import (
    Boxes,
    Change,
    Figure,
    Floats,
    Matches,
    Picture,
    average_precision,
    calibration_error,
    change,
    f1,
    match,
    resampled,
)
from training.gate.worst import Worst

SEED = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate may cost. `tolerance` is in AP50 and F1 (0-1), `confidence` one-sided.

    `calibration` is how much larger the calibration error may be, `slowdown` how many times as long a picture may take
    (a branch that reads for itself takes 1.5 times the time of a model without one).
    Who takes surely less than a picture's time by the share `smaller`, or whose files are so much smaller, need not be
    better, but surely no worse than the tolerance.
    `contradicted` is the share of people's new words that may be wrong: in well-known sets 3 % are, in the worst of
    them 10 % (arXiv:2103.14749).
    """

    tolerance: float = 0.02
    confidence: Annotated[float, Meta(ge=0.5, lt=1)] = 0.95
    calibration: float = 0.05
    slowdown: float = 1.6
    smaller: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    contradicted: float = 0.1
    resamples: int = 500


@dataclass(frozen=True)
class Seen:
    """What one model saw of all pictures, in their order, and how long each took; its thresholds; its files' size."""

    model: str
    boxes: tuple[Boxes, ...]
    times_ms: Floats
    thresholds: Mapping[str, float] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def ms(self) -> float:
        """The median picture's time."""
        return float(np.median(self.times_ms))

    def threshold(self, label: str) -> float:
        """The least confidence with which the rules believe in a box of the label."""
        return self.thresholds.get(label, self.thresholds.get("default", 0.0))


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of both models, with the bounds of the difference; `camera` and `label` are empty for all of them."""

    camera: str
    label: str
    boxes: int
    before: float
    after: float
    low: float
    high: float


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a candidate is refused, or what speaks against it without refusing it."""

    of: Literal["overall", "place", "thresholds", "calibration", "speed", "data", "words"]
    text: str
    camera: str = ""
    label: str = ""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate that is only smaller does against a larger `model` that it, or one before it, comes after."""

    model: str
    overall: Figures


class FrozenSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set by its hash."""

    name: str
    sha256: str
    pictures: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says: `refusals` is empty where the candidate is let through.

    `smaller` says by how much it is smaller or faster, where that is enough for it to need no better figures; `bounds`
    are of those larger ones that it was then held against, too. `worst` are the boxes that it loses most, however good
    it is.
    """

    candidate: str
    against: str
    sets: tuple[FrozenSet, ...]
    limits: Limits
    refusals: tuple[Reason, ...]
    doubts: tuple[Reason, ...] = ()
    overall: Figures | None = None
    at_thresholds: Figures | None = None
    places: tuple[Figures, ...] = ()
    calibration: tuple[float, float] = (0.0, 0.0)
    ms: tuple[float, float] = (0.0, 0.0)
    size_bytes: tuple[int, int] = (0, 0)
    smaller: str = ""
    bounds: tuple[Bound, ...] = ()
    worst: tuple[Worst, ...] = ()

    @property
    def only_smaller(self) -> bool:
        """Whether it is not surely better than what it would replace, but smaller or faster."""
        return bool(self.smaller) and self.overall is not None and self.overall.low <= 0

    @property
    def passed(self) -> bool:
        """Whether the candidate may be promoted."""
        return not self.refusals

    @property
    def why(self) -> str:
        """The verdict in a sentence."""
        if self.refusals:
            return "; ".join(reason.text for reason in self.refusals)
        assert self.overall is not None
        said = f"AP50 {self.overall.before:.3f} -> {self.overall.after:.3f}, no camera and class lost"
        bounds = (f"against {one.model} {one.overall.before:.3f} -> {one.overall.after:.3f}" for one in self.bounds)
        return "; ".join((said, *filter(None, (self.smaller,)), *bounds))


def judge(pictures: Sequence[Picture], before: Seen, after: Seen, sets: Sequence[FrozenSet], limits: Limits) -> Report:
    """Hold a candidate (`after`) against the model in service (`before`)."""
    found = _compared(pictures, before, after, limits)
    overall, places = found.over_labels(_precision, _precision), found.places()
    at_thresholds = found.over_labels(_f1_of(before), _f1_of(after))
    errors = tuple(calibration_error(list(side.values())) for side in found.matches)
    lost = [_lost(one, limits) for one in places]
    smaller = _smaller(before, after, found.weights, limits)
    refusals = (
        *(_worse(overall, smaller, "", limits) if smaller else _not_better(overall)),
        *(reason for kind, reason in filter(None, lost) if kind == "lost"),
        *_thresholds(at_thresholds, limits),
        *_calibration(errors[0], errors[1], limits),
        *_speed(before.ms, after.ms, limits),
    )
    return Report(
        candidate=after.model,
        against=before.model,
        sets=tuple(sets),
        limits=limits,
        refusals=refusals,
        doubts=tuple(reason for kind, reason in filter(None, lost) if kind == "doubt"),
        overall=overall,
        at_thresholds=at_thresholds,
        places=places,
        calibration=(errors[0], errors[1]),
        ms=(before.ms, after.ms),
        size_bytes=(before.size_bytes, after.size_bytes),
        smaller=smaller,
    )


def bounded(
    pictures: Sequence[Picture], larger: Sequence[Seen], after: Seen, smaller: str, limits: Limits
) -> tuple[tuple[Bound, ...], tuple[Reason, ...]]:
    """Hold a candidate that is only smaller against `larger` ones, so that what each step may cost doesn't add up.

    Returns how it does, and what speaks against it: all of them refuse it.
    """
    bounds, reasons = list[Bound](), list[Reason]()
    for one in larger:
        found, than = _compared(pictures, one, after, limits), f", against {one.model}"
        bounds.append(Bound(model=one.model, overall=found.over_labels(_precision, _precision)))
        reasons += _worse(bounds[-1].overall, smaller, than, limits)
        lost = filter(None, (_lost(place, limits) for place in found.places()))
        reasons += [msgspec.structs.replace(why, text=f"{why.text}{than}") for kind, why in lost if kind == "lost"]
    return tuple(bounds), tuple(reasons)


def refused(candidate: str, against: str, sets: Sequence[FrozenSet], limits: Limits, *reasons: Reason) -> Report:
    """A candidate that is not even looked at."""
    return Report(candidate=candidate, against=against, sets=tuple(sets), limits=limits, refusals=reasons)


_OfLabel = Callable[[Matches, str, Floats], float]


def _precision(one: Matches, _label: str, weights: Floats) -> float:
    return average_precision(one, weights)


def _f1_of(seen: Seen) -> _OfLabel:
    return lambda one, label, weights: f1(one, weights, seen.threshold(label))


@dataclass(frozen=True)
class _Comparison:
    """The same figure of both models, on all pictures and on resampled ones."""

    pictures: Sequence[Picture]
    matches: tuple[dict[str, Matches], dict[str, Matches]]
    weights: Floats
    confidence: float

    @property
    def cameras(self) -> list[str]:
        return sorted({picture.camera for picture in self.pictures})

    def over_labels(self, of_before: _OfLabel, of_after: _OfLabel) -> Figures:
        """The mean of a figure over labels, each counting the same."""

        def mean(side: dict[str, Matches], of: _OfLabel) -> Figure:
            def figure(row: Floats) -> float:
                values = np.array([of(one, label, row) for label, one in side.items()])
                return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

            return figure

        first, second = self.matches
        boxes = sum(int(one.counts.sum()) for one in first.values())
        both = mean(first, of_before), mean(second, of_after)
        return _figures("", "", boxes, change(*both, self.weights, self.confidence))

    def places(self) -> tuple[Figures, ...]:
        """AP50 of each label that there is, at all cameras and at each."""
        found = (self.place(camera, label) for camera in ("", *self.cameras) for label in self.matches[0])
        return tuple(one for one in found if one.boxes)

    def place(self, camera: str, label: str) -> Figures:
        """AP50 of one label at one camera (empty: at all)."""
        own = np.array([camera in ("", picture.camera) for picture in self.pictures])
        first, second = self.matches[0][label], self.matches[1][label]
        boxes = int((own * first.counts).sum())
        if not boxes:
            return _figures(camera, label, 0, Change(0.0, 0.0, 0.0, 0.0))

        def of(one: Matches) -> Figure:
            return lambda row: average_precision(one, row * own)

        return _figures(camera, label, boxes, change(of(first), of(second), self.weights, self.confidence))


def _compared(pictures: Sequence[Picture], before: Seen, after: Seen, limits: Limits) -> _Comparison:
    labels = sorted({label for picture in pictures for label in picture.truth.labels})
    weights = resampled([picture.camera for picture in pictures], limits.resamples, SEED)
    first, second = ({label: match(pictures, seen.boxes, label) for label in labels} for seen in (before, after))
    return _Comparison(pictures, (first, second), weights, limits.confidence)


def _figures(camera: str, label: str, boxes: int, found: Change) -> Figures:
    values = {name: round(getattr(found, name), 6) for name in ("before", "after", "low", "high")}
    return Figures(camera=camera, label=label, boxes=boxes, **values)


def _lost(one: Figures, limits: Limits) -> tuple[Literal["lost", "doubt"], Reason] | None:
    fall = one.before - one.after
    if fall <= limits.tolerance:
        return None
    where = f"{one.label} at {one.camera or 'all cameras'}"
    text = f"{where}: AP50 {one.before:.3f} -> {one.after:.3f}, over {one.boxes} boxes"
    if one.high < 0:
        return "lost", Reason(of="place", text=text, camera=one.camera, label=one.label)
    return "doubt", Reason(of="place", text=f"{text}, maybe by chance", camera=one.camera, label=one.label)


def _not_better(overall: Figures) -> tuple[Reason, ...]:
    if overall.low > 0:
        return ()
    surely = "worse" if overall.high < 0 else "not surely better"
    bounds = f"{overall.low:+.3f} to {overall.high:+.3f}"
    text = f"{surely} over all: AP50 {overall.before:.3f} -> {overall.after:.3f} ({bounds})"
    return (Reason(of="overall", text=text),)


def _smaller(before: Seen, after: Seen, weights: Floats, limits: Limits) -> str:
    """By how much the candidate is surely faster or smaller, where either is enough to be worth as much as a gain."""
    most, said = 1 - limits.smaller, []
    if before.size_bytes and after.size_bytes <= most * before.size_bytes:
        said.append(f"{after.size_bytes / before.size_bytes:.2f} times the size")
    times = np.quantile([_times_as_long(before, after, row) for row in weights], limits.confidence)
    if times <= most:
        said.append(f"{after.ms / before.ms:.2f} times the time a picture, surely at most {times:.2f}")
    return " and ".join(said)


def _times_as_long(before: Seen, after: Seen, row: Floats) -> float:
    """The ratio of the median times where picture p is there `row[p]` times."""
    drawn = np.repeat(np.arange(len(row)), row.astype(int))
    return float(np.median(after.times_ms[drawn]) / np.median(before.times_ms[drawn]))


def _worse(overall: Figures, smaller: str, than: str, limits: Limits) -> tuple[Reason, ...]:
    """For who is smaller it is enough not to be worse: non-inferiority, by the bound that holds with confidence."""
    if overall.low > -limits.tolerance:
        return ()
    bounds = f"{overall.low:+.3f} to {overall.high:+.3f}"
    text = (
        f"{smaller}, but not surely as good to {limits.tolerance:g} over all: "
        f"AP50 {overall.before:.3f} -> {overall.after:.3f} ({bounds}){than}"
    )
    return (Reason(of="overall", text=text),)


def _thresholds(found: Figures, limits: Limits) -> tuple[Reason, ...]:
    if found.before - found.after <= limits.tolerance or found.high >= 0:
        return ()
    text = f"at its own thresholds it is worse: F1 {found.before:.3f} -> {found.after:.3f}"
    return (Reason(of="thresholds", text=text),)


def _calibration(before: float, after: float, limits: Limits) -> tuple[Reason, ...]:
    if after <= before + limits.calibration:
        return ()
    return (Reason(of="calibration", text=f"its scores mean less: calibration error {before:.3f} -> {after:.3f}"),)


def _speed(before_ms: float, after_ms: float, limits: Limits) -> tuple[Reason, ...]:
    if after_ms <= before_ms * limits.slowdown:
        return ()
    times = after_ms / before_ms if before_ms else float("inf")
    return (Reason(of="speed", text=f"{times:.2f} times as slow: {before_ms:.1f} -> {after_ms:.1f} ms a picture"),)
