"""When a period of the config is: by the clock on the wall of a time zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence

from contracts.config.base import Period
from contracts.errors import ConfigError

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


def check_periods(periods: Sequence[Period], path: str) -> None:
    """Raise ConfigError at the first period that can't be meant."""
    for i, period in enumerate(periods):
        if not period.days:
            raise ConfigError(f"{path}[{i}].days", "is empty")
        if period.from_ == "24:00":
            raise ConfigError(f"{path}[{i}].from", "is the end of the day; 00:00 is its begin")
        if period.from_ == period.until:
            raise ConfigError(f"{path}[{i}].until", "is the same as from")


def _covers(period: Period, minute: int, today: int) -> bool:
    start, end = _minutes(period.from_), _minutes(period.until)
    if start < end:
        return DAYS[today] in period.days and start <= minute < end
    yesterday = DAYS[(today - 1) % 7]
    return (DAYS[today] in period.days and minute >= start) or (yesterday in period.days and minute < end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
