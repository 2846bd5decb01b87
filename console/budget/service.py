"""The budget at work: the plan from what is stored, and a suggestion made a rule's new version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from archive.preview.silent import silent
from console.budget.outcomes import HEALTH, Past, Setting, setting_of, with_setting
from console.budget.plan import Plan, RuleHistory, plan
from console.changes import Changes, ConflictError, ObjectView
from console.overlay import body_of
from console.rights import Who
from console.store.judged import JudgedAlert
from console.store.objects import ObjectKey
from console.store.store import Store
from contracts.config import Config, Loitering, Rule
from contracts.suppressions import Suppression

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
MOST = 5000
"""So many of the latest alerts are looked at."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LEAST = re.compile(rf">= ({_NUMBER.pattern})")
_HELD = ("dwell_s", "for_s", "stands_s")
"""Conditions that say for how long something had to hold."""


class Budgeted(NamedTuple):
    """The plan, since when and over how many hours it was made, and the rules that it was made on.

    `silent` of the alerts count as no load: an operator's answer silences what comes again like them.
    """

    plan: Plan
    since_ms: int
    hours: float
    rules: dict[str, ObjectView]
    silent: int = 0


def budgeted(store: Store, changes: Changes, who: Who, now_ms: int) -> Budgeted:
    """What the budget says now, since the first alert that is looked at. `who` must see all cameras."""
    config = changes.config()
    budget = config.console.budget
    judged = store.judged.since(now_ms - round(budget.days * DAY_MS), MOST)
    # Of fewer alerts than days, or more than are looked at, only the time that they span is known.
    first_ms = judged[0].started_at_ms if judged else now_ms
    hours = max(1.0, (now_ms - first_ms) / HOUR_MS)
    views = {one.name: one for one in changes.views(who) if one.kind == "rule"}
    suppressions: dict[str, list[Suppression]] = {}
    for row in store.suppressions.read(now_ms):
        suppressions.setdefault(row.camera, []).append(row.body)
    pasts = [(one, _past(one, suppressions.get(one.camera, ()), config.site.time_zone)) for one in judged]
    histories = [
        RuleHistory(
            name,
            setting_of(rule, loitering_s(config, rule)),
            [past for one, past in pasts if one.rule == name],
            fixed=_kind(rule) in HEALTH,
        )
        for name, rule in config.rules.items()
        if rule.enabled
    ]
    spared = sum(past.silent for _, past in pasts)
    return Budgeted(plan([one for one in histories if one.pasts], budget, hours), first_ms, hours, views, spared)


def apply(changes: Changes, who: Who, rule: str, wanted: Setting, version: int, note: str) -> ObjectView:
    """Give a rule the thresholds of a suggestion that was made on its `version`; the file's is adopted first.

    Raises ConflictError where it was changed meanwhile, ForbiddenError, NoObjectError.
    """
    who.need("configure")
    key = ObjectKey("rule", "", rule)
    view = changes.view(who, key)
    if view.version != version:
        raise ConflictError(f"it was changed meanwhile: version {view.version}, not {version}")
    if view.origin == "file":
        view = changes.adopt(who, key)
    body = body_of("rule", bytes(view.body))
    assert isinstance(body, Rule)
    before = setting_of(body, loitering_s(changes.config(), body))
    return changes.put(who, key, with_setting(body, before, wanted), note=note, expected=view.version)


def loitering_s(config: Config, rule: Rule) -> float | None:
    """How long loitering takes where the rule leaves that to its zone: the longest of its cameras' zones."""
    if not isinstance(rule, Loitering) or rule.after_s is not None:
        return None
    cameras = rule.cameras or tuple(config.cameras)
    zones = [config.cameras[name].zones for name in cameras]
    return max((zone[rule.zone].loitering_time for zone in zones if rule.zone in zone), default=None)


def _past(one: JudgedAlert, suppressions: Sequence[Suppression], time_zone: str) -> Past:
    """The alert as the arithmetic needs it: what its trace says, and for how long it went on after it was told."""
    got = {condition.name: condition for condition in one.trace}
    confidence = _NUMBER.match(got["confidence"].got) if "confidence" in got else None
    limits = [float(found[1]) for name in _HELD if name in got and (found := _LEAST.match(got[name].wanted))]
    lasted_s = (one.ended_at_ms - one.started_at_ms) / 1000
    return Past(
        one.camera,
        one.started_at_ms,
        one.ended_at_ms,
        one.verdict,
        float(confidence[0]) if confidence else 1.0,
        max(limits) + lasted_s if limits else inf,
        silent(one.looked, suppressions, time_zone),
    )


def _kind(rule: Rule) -> str:
    return str(rule.__struct_config__.tag)
