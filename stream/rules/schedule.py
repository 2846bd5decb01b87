"""When a rule may alert: the site's and the rule's periods in the site's time zone, zones that are off, maintenance."""

from __future__ import annotations

from contracts.config import within
from stream.rules.model import ActiveRule, CameraRules


def why_silent(rules: CameraRules, rule: ActiveRule, at_ms: int) -> str:
    """Why the rule must not alert at `at_ms`, or "" when it may.

    Maintenance silences everything. `always_armed` overrides the site's arming and the zones that are off, but not
    the rule's own schedule, which is part of what was asked for.
    """
    if rules.maintenance:
        return "maintenance"
    if not within(rule.rule.schedule, at_ms, rules.time_zone):
        return "outside the rule's schedule"
    if rule.rule.always_armed:
        return ""
    arming = rules.arming
    if not arming.armed or not within(arming.schedule, at_ms, rules.time_zone):
        return "disarmed"
    if rule.place and rule.place in arming.disarmed_zones:
        return f"{rule.place} is disarmed"
    return ""
