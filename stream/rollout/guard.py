"""Takes a candidate back that makes things worse: by its errors, time, lost and flooding boxes, alerts and answers.

Boxes and times are compared on the same frames, so what the scene does meanwhile plays no part. Of alerts and answers
there is no such pair: they are held against the same cameras' last hour, and against answers to other models' alerts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.config import RolloutBounds
from contracts.fields import QUESTION, Stage
from contracts.messages import Alert, Feedback
from contracts.model_reports import Compared, ModelReport

MINUTE_MS = 60_000
HOUR_MIN = 60
SILENT_MS = 60_000
"""A candidate that no process has named for so long is none any more."""
MOST_ANSWERED = 500

Reason = Literal["refused", "errors", "latency", "lost", "flood", "alerts", "answers", "idle"]


class Verdict(NamedTuple):
    """The candidate that came by the control of this version goes, at which stage, and why in a sentence."""

    model: str
    version: int
    stage: Stage
    reason: Reason
    why: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a candidate since it came; `boxes` and `lost` by "camera|label"."""

    model: str
    version: int
    stage: Stage
    since_ms: int
    heard_ms: int
    cameras: tuple[str, ...] = ()
    frames: int = 0
    errors: int = 0
    compared: int = 0
    dropped: int = 0
    candidate_s: float = 0.0
    in_service_s: float = 0.0
    gained: int = 0
    boxes: dict[str, int] = {}
    lost: dict[str, int] = {}
    alerts: int = 0
    answered: dict[str, bool] = {}


class GuardState(msgspec.Struct, frozen=True, kw_only=True):
    """The trial under way, and what was usual before: new alerts of cameras a minute, and answers to them.

    `ended` is the version of the last control whose candidate is over: what is still reported of it is old.
    """

    v: int = 1
    trial: Trial | None = None
    ended: int = -1
    minutes: dict[str, dict[int, int]] = {}
    since_min: int = 0
    answers: int = 0
    unwanted: int = 0


class RolloutGuard:
    """Pure: observations in, the verdict out. One that was given is not given again."""

    def __init__(self, bounds: RolloutBounds) -> None:
        self._bounds = bounds

    def report(self, state: GuardState, report: ModelReport) -> tuple[GuardState, Verdict | None]:
        """What a detect process says; every candidate begins and is judged by this."""
        trial = state.trial
        if trial is not None and report.at_ms - trial.heard_ms > SILENT_MS:
            trial = None
        if report.candidate and report.version > max(state.ended, trial.version if trial else -1):
            trial = Trial(
                model=report.candidate,
                version=report.version,
                stage=report.stage,
                since_ms=report.at_ms,
                heard_ms=report.at_ms,
            )
        if trial is None or report.version != trial.version or report.candidate != trial.model:
            return replace(state, trial=trial), None
        if report.state == "refused":
            return self._judged(
                state, trial, Verdict(trial.model, trial.version, trial.stage, "refused", report.reason)
            )
        return self._judged(state, _added(trial, report), None)

    def alert(self, state: GuardState, alert: Alert) -> tuple[GuardState, Verdict | None]:
        """An alert: a new one of the candidate counts against it, others are what is usual."""
        if alert.state != "new" or alert.late or alert.kind == QUESTION:
            return state, None
        if state.trial is not None and alert.model == state.trial.model:
            return self._judged(state, replace(state.trial, alerts=state.trial.alerts + 1), None)
        minute = alert.at_ms // MINUTE_MS
        minutes = dict(state.minutes)
        counts = {at: count for at, count in minutes.get(alert.camera, {}).items() if at > minute - HOUR_MIN}
        minutes[alert.camera] = counts | {minute: counts.get(minute, 0) + 1}
        return replace(state, minutes=minutes, since_min=state.since_min or minute), None

    def feedback(self, state: GuardState, answer: Feedback) -> tuple[GuardState, Verdict | None]:
        """An operator's answer: of an alert's the last counts."""
        if answer.verdict is None or answer.kind == QUESTION:
            return state, None
        unwanted = answer.verdict != "true"
        trial = state.trial
        if trial is not None and answer.model == trial.model:
            answered = dict(list((trial.answered | {answer.alert: unwanted}).items())[-MOST_ANSWERED:])
            return self._judged(state, replace(trial, answered=answered), None)
        if state.answers >= MOST_ANSWERED:  # older ones count half from here on
            state = replace(state, answers=state.answers // 2, unwanted=state.unwanted // 2)
        return replace(state, answers=state.answers + 1, unwanted=state.unwanted + unwanted), None

    def _judged(self, state: GuardState, trial: Trial, verdict: Verdict | None) -> tuple[GuardState, Verdict | None]:
        found = verdict or self._verdict(state, trial)
        if found is None:
            return replace(state, trial=trial), None
        return replace(state, trial=None, ended=trial.version), found

    def _verdict(self, state: GuardState, trial: Trial) -> Verdict | None:
        for reason, why in (
            ("errors", self._errors(trial)),
            ("lost", self._lost(trial)),
            ("flood", self._flood(trial)),
            ("latency", self._latency(trial)),
            ("alerts", self._alerts(state, trial)),
            ("answers", self._answers(state, trial)),
            ("idle", self._idle(trial)),
        ):
            if why:
                return Verdict(trial.model, trial.version, trial.stage, reason, why)  # type: ignore[arg-type]
        return None

    def _errors(self, trial: Trial) -> str:
        tried = trial.frames + trial.errors
        if trial.errors < self._bounds.min_errors or trial.errors <= self._bounds.errors_share * tried:
            return ""
        return f"failed on {trial.errors} of {tried} frames"

    def _lost(self, trial: Trial) -> str:
        for place, boxes in sorted(trial.boxes.items()):
            lost = trial.lost.get(place, 0)
            if boxes >= self._bounds.min_boxes and lost > self._bounds.lost_share * boxes:
                camera, _, label = place.rpartition("|")
                return f"{camera}: {lost} of {boxes} boxes of {label} are lost"
        return ""

    def _flood(self, trial: Trial) -> str:
        if trial.compared < self._bounds.min_frames or trial.gained <= self._bounds.flood * trial.compared:
            return ""
        return f"{trial.gained / trial.compared:.1f} more boxes a frame, on {trial.compared} frames"

    def _latency(self, trial: Trial) -> str:
        if trial.compared < self._bounds.min_frames or trial.candidate_s <= self._bounds.slower * trial.in_service_s:
            return ""
        now_ms, usual_ms = (1000 * spent / trial.compared for spent in (trial.candidate_s, trial.in_service_s))
        return f"{now_ms:.1f} ms a frame instead of {usual_ms:.1f}"

    def _alerts(self, state: GuardState, trial: Trial) -> str:
        """Alerts come like Poisson's: with `most` expected at the bound, two deviations above that are too many.

        One alert is added to what the cameras had, so that a quiet hour doesn't make the first one too many.
        """
        if trial.alerts < self._bounds.min_alerts:
            return ""
        start = trial.since_ms // MINUTE_MS
        observed_min = min(HOUR_MIN, max(1, start - state.since_min)) if state.since_min else HOUR_MIN
        usual = sum(
            count
            for camera in trial.cameras
            for minute, count in state.minutes.get(camera, {}).items()
            if start - HOUR_MIN < minute <= start
        )
        lasted_min = max(1.0, (trial.heard_ms - trial.since_ms) / MINUTE_MS)
        expected = (usual + 1) * lasted_min / observed_min
        most = self._bounds.alerts * expected
        if trial.alerts <= most + 2 * math.sqrt(most):
            return ""
        return f"{trial.alerts} alerts within {lasted_min:.0f} min, where {expected:.1f} are usual"

    def _answers(self, state: GuardState, trial: Trial) -> str:
        answers, unwanted = len(trial.answered), sum(trial.answered.values())
        usual = (state.unwanted + 1) / (state.answers + 2)  # Laplace's rule: half, while nothing is known
        if answers < self._bounds.min_answers or unwanted <= (usual + self._bounds.unwanted) * answers:
            return ""
        return f"{unwanted} of {answers} alerts were unwanted, where {100 * usual:.0f} % are usual"

    def _idle(self, trial: Trial) -> str:
        """A candidate of which no frame says anything would never be judged."""
        lasted_s = (trial.heard_ms - trial.since_ms) / 1000
        if trial.frames or trial.errors or lasted_s < self._bounds.idle_s:
            return ""
        if trial.dropped:
            return f"within {lasted_s / 60:.0f} min there was no time for any of {trial.dropped} frames"
        return f"within {lasted_s / 60:.0f} min no frame of its cameras came"


def _added(trial: Trial, report: ModelReport) -> Trial:
    mine = [one for one in report.served if one.model == trial.model]
    pairs = [one for one in report.compared if one.candidate == trial.model]
    return replace(
        trial,
        heard_ms=max(trial.heard_ms, report.at_ms),
        cameras=tuple(sorted({*trial.cameras, *(one.camera for one in mine)})),
        frames=trial.frames + sum(one.frames for one in mine) + sum(one.frames for one in pairs),
        errors=trial.errors + sum(one.errors for one in mine) + sum(one.errors for one in pairs),
        compared=trial.compared + sum(one.frames for one in pairs),
        dropped=trial.dropped + sum(one.dropped for one in pairs),
        candidate_s=trial.candidate_s + sum(one.candidate_s for one in pairs),
        in_service_s=trial.in_service_s + sum(one.in_service_s for one in pairs),
        gained=trial.gained + sum(sum(one.gained.values()) for one in pairs),
        boxes=_summed(trial.boxes, pairs, "boxes"),
        lost=_summed(trial.lost, pairs, "lost"),
    )


def _summed(before: dict[str, int], pairs: Iterable[Compared], of: Literal["boxes", "lost"]) -> dict[str, int]:
    """The counts by camera and label, with those of the pairs added."""
    sums = Counter(before)
    for pair in pairs:
        for label, count in getattr(pair, of).items():
            sums[f"{pair.camera}|{label}"] += count
    return dict(sums)
