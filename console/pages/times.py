"""Times and durations in words, in the site's zone: the same as the browser's part says them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

SPANS = {"8h": 8 * 3_600_000, "24h": 24 * 3_600_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000}
"""Spans of time that pages offer, in ms."""


def stamp(at_ms: int, zone: str) -> str:
    """21 Nov, 13:15:02; "–" for never; what is beyond the calendar as it is, as an audit's entry is for ever."""
    if not at_ms:
        return "–"
    try:
        local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
    return f"{local.day} {local:%b, %H:%M:%S}"


def lasting(ms: float) -> str:
    """8 s, 3:05 min, 2 h 10 min, 3 d 4 h."""
    seconds = max(0, round(ms / 1000))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def delayed(ms: int | None) -> str:
    """A delay: 420 ms, from two seconds on as `lasting` says it; "–" where there is none."""
    if ms is None:
        return "–"
    return f"{ms} ms" if ms < 2_000 else lasting(ms)
