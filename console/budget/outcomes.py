"""What a rule would have told under other thresholds: which alerts had come, and what they had been worth.

The arithmetic. Each past alert was right with probability p: 1 where an operator said true, 0 for false and nuisance,
and for one that nobody answered the share of true ones among the NEAREST answered alerts of its rule by confidence,
(true + 1/2) / (answered + 1) (Krichevsky and Trofimov's estimate: few answers pull towards a half, none is one half).

A threshold can only be raised in hindsight: what was below it was never told. Under a setting an alert would have come
where its confidence is at least `min_confidence` and it held for `after_s`; one that begins within `cooldown_s` of the
end of the one before on its camera would have joined that. An alert that joins a true one is seen with it; a true one
that joins an unwanted one counts as lost. So with `head` the alert that would have been told, h its probability:

    value = sum of p over heads + sum of p * h over joined - nuisance_cost * sum of (1 - p) over heads
    load  = number of heads / hours
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from math import inf, isfinite
from typing import NamedTuple

from msgspec.structs import replace

from console.store.rows import Judged
from contracts.config import Rule

NEAREST = 20
STEPS = 8
"""Candidates of one threshold: so many quantiles of what was seen."""
COOLDOWNS_S = (60.0, 120.0, 300.0, 600.0, 1800.0)
HEALTH = ("camera_down", "tamper")
"""Rules of the system's own health: they are wanted, however many they are."""


class Past(NamedTuple):
    """An alert that was: `confidence` of what it showed, `held_s` how long its condition held in all.

    Where a rule looks at no such thing they are 1 and infinite: no threshold leaves it out.
    """

    camera: str
    started_at_ms: int
    ended_at_ms: int
    verdict: Judged
    confidence: float = 1.0
    held_s: float = inf
    silent: bool = False
    """What comes again like it is silenced by an operator's answer: it tells what is likely, and is no load."""


class Setting(NamedTuple):
    """Thresholds of a rule; None where it has no such."""

    min_confidence: float
    after_s: float | None
    cooldown_s: float


class Outcome(NamedTuple):
    """What a rule would have told under `setting`: alerts by camera, expected value, answered ones that stay."""

    setting: Setting
    alerts: Mapping[str, int]
    value: float
    true: int
    unwanted: int

    @property
    def total(self) -> int:
        """Alerts on all cameras."""
        return sum(self.alerts.values())


def setting_of(rule: Rule, loitering_s: float | None) -> Setting:
    """A rule's thresholds; `loitering_s` is its zone's, where the rule leaves it to that."""
    after_s = getattr(rule, "after_s", None)
    return Setting(rule.min_confidence, after_s if after_s is not None else loitering_s, rule.cooldown_s)


def with_setting(rule: Rule, before: Setting, after: Setting) -> Rule:
    """The rule with the thresholds that differ."""
    changed = {name: value for name, value in after._asdict().items() if value != getattr(before, name)}
    return replace(rule, **changed)


def candidates(pasts: Sequence[Past], now: Setting) -> list[Setting]:
    """The settings that are looked at, from today's on, each threshold only raised.

    The best threshold is that of an alert worth keeping: any higher one up to the next such only loses, any lower one
    down to it only adds what is not. So they are taken from the alerts that nobody called unwanted.
    """
    told = [one for one in pasts if not one.silent]
    worth = [one for one in told if one.verdict not in ("false", "nuisance")] or told
    confidences = _steps([one.confidence for one in worth if one.confidence < 1], now.min_confidence, digits=2)
    afters: list[float | None] = [now.after_s]
    if now.after_s is not None:
        afters += _steps([one.held_s for one in worth if isfinite(one.held_s)], now.after_s, digits=0)
    cooldowns = [one for one in COOLDOWNS_S if one > now.cooldown_s]
    made = product([now.min_confidence, *confidences], afters, [now.cooldown_s, *cooldowns])
    return [Setting(*values) for values in made]


def outcome(pasts: Sequence[Past], chances: Sequence[float], setting: Setting, nuisance_cost: float) -> Outcome:
    """What would have been told. `pasts` are by start, `chances` their probabilities to be right."""
    alerts: Counter[str] = Counter()
    ends: dict[str, tuple[int, float]] = {}  # by camera: the end of the incident, and its head's chance
    value, true, unwanted = 0.0, 0, 0
    least = round(setting.min_confidence, 2)  # as an alert's trace tells its own
    for one, chance in zip(pasts, chances, strict=True):
        if one.silent or one.confidence < least or (setting.after_s is not None and one.held_s < setting.after_s):
            continue
        end_ms, head = ends.get(one.camera, (-(2**62), 0.0))
        joins = one.started_at_ms - end_ms < setting.cooldown_s * 1000
        if joins:
            ends[one.camera] = (max(end_ms, one.ended_at_ms), head)
            value += chance * head
            true += one.verdict == "true" and head == 1.0
            continue
        ends[one.camera] = (one.ended_at_ms, chance)
        alerts[one.camera] += 1
        value += chance - nuisance_cost * (1 - chance)
        true += one.verdict == "true"
        unwanted += one.verdict in ("false", "nuisance")
    return Outcome(setting, dict(alerts), value, true, unwanted)


def chances(pasts: Sequence[Past]) -> list[float]:
    """The probability of each to be right."""
    answered = sorted((one.confidence, one.verdict == "true") for one in pasts if one.verdict)
    sums = [0]
    for _, true in answered:
        sums.append(sums[-1] + true)
    keys = [confidence for confidence, _ in answered]

    def of(one: Past) -> float:
        if one.verdict:
            return 1.0 if one.verdict == "true" else 0.0
        low = max(0, min(bisect_left(keys, one.confidence) - NEAREST // 2, len(keys) - NEAREST))
        high = min(len(keys), low + NEAREST)
        return (sums[high] - sums[low] + 0.5) / (high - low + 1)

    return [of(one) for one in pasts]


def _steps(seen: Sequence[float], above: float, *, digits: int) -> list[float]:
    """What was seen above a threshold; STEPS quantiles of it where that is more."""
    values = sorted({round(one, digits) for one in seen if round(one, digits) > above})
    if len(values) <= STEPS:
        return values
    return [values[number * (len(values) - 1) // (STEPS - 1)] for number in range(STEPS)]
