"""The parts of a day: cameras show other things by night than by day, so each is asked for and compared by itself."""

from __future__ import annotations

import datetime as dt

PARTS = ("night", "morning", "afternoon", "evening")
PART_H = 24 // len(PARTS)


def part_of_day(at_ms: int) -> int:
    """The place of a time in PARTS, in UTC."""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).hour // PART_H
