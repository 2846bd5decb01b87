"""When a rule may alert: the site's and the rule's periods in the site's time zone, zones that are off, maintenance."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence

from contracts.config import Period
from stream.rules.model import ActiveRule, CameraRules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def within(periods: Sequence[Period], at_ms: int, time_zone: str) -> bool:
    """Whether `at_ms` lies in one of the periods by the clock on the wall of `time_zone`; none given means always.

    `from` belongs to a period, `until` does not. One that runs over midnight belongs to the day on which it begins.
    """
    if not periods:
        return True
    local = dt.datetime.fromtimestamp(at_ms / 1000, zoneinfo.ZoneInfo(time_zone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    return any(_covers(period, minute, today) for period in periods)


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


def _covers(period: Period, minute: int, today: int) -> bool:
    start, end = _minutes(period.from_), _minutes(period.until)
    if start < end:
        return DAYS[today] in period.days and start <= minute < end
    yesterday = DAYS[(today - 1) % 7]
    return (DAYS[today] in period.days and minute >= start) or (yesterday in period.days and minute < end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
