"""Schedules by the wall clock of the site, and everything that can silence a rule."""

import datetime as dt
import zoneinfo

import msgspec
import pytest

from contracts.config import Period, within
from stream.rules.schedule import why_silent
from tests.rule_scenes import SQUARE, rules_of

BERLIN = "Europe/Berlin"


def ms(text, zone=BERLIN):
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp() * 1000)


def period(start, until, days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")):
    return msgspec.convert({"days": days, "from": start, "until": until}, Period)


@pytest.mark.parametrize(
    ("periods", "at", "expected"),
    [
        ((), "2026-11-21 12:00", True),  # no schedule is always
        ((period("08:00", "17:00"),), "2026-11-21 08:00", True),  # from belongs to it
        ((period("08:00", "17:00"),), "2026-11-21 17:00", False),  # until does not
        ((period("00:00", "24:00"),), "2026-11-21 23:59", True),
        ((period("22:00", "06:00", ("sat",)),), "2026-11-21 23:00", True),  # a Saturday
        ((period("22:00", "06:00", ("sat",)),), "2026-11-22 05:59", True),  # its night goes on into Sunday
        ((period("22:00", "06:00", ("sat",)),), "2026-11-22 23:00", False),  # Sunday's own night is another
        ((period("22:00", "06:00", ("sat",)),), "2026-11-21 05:00", False),  # nor is Friday's
        ((period("02:00", "03:00"),), "2026-07-01 02:30", True),  # by the summer clock
        ((period("08:00", "09:00"), period("20:00", "21:00")), "2026-11-21 20:30", True),  # any of them
    ],
)
def test_periods(periods, at, expected):
    assert within(periods, ms(at), BERLIN) is expected


def test_the_sites_clock_counts_not_utc():
    evening = (period("20:00", "21:00"),)
    assert within(evening, ms("2026-07-01 18:30", "UTC"), BERLIN)
    assert not within(evening, ms("2026-07-01 18:30", "UTC"), "UTC")


DAY, NIGHT = {"from": "08:00", "until": "17:00"}, {"from": "22:00", "until": "06:00"}


@pytest.mark.parametrize(
    ("rule", "arming", "camera", "reason"),
    [
        ({}, {}, {}, ""),
        ({}, {"armed": False}, {}, "disarmed"),
        ({}, {"schedule": [NIGHT]}, {}, "disarmed"),  # at noon
        ({}, {"schedule": [DAY]}, {}, ""),
        ({}, {"disarmed_zones": ["yard"]}, {}, "yard is disarmed"),
        ({}, {"disarmed_zones": ["hall"]}, {}, ""),
        ({}, {"maintenance": True}, {}, "maintenance"),
        ({}, {}, {"maintenance": True}, "maintenance"),
        ({"schedule": [NIGHT]}, {}, {}, "outside the rule's schedule"),
        ({"always_armed": True}, {"armed": False, "disarmed_zones": ["yard"]}, {}, ""),
        ({"always_armed": True}, {"maintenance": True}, {}, "maintenance"),
        ({"always_armed": True, "schedule": [NIGHT]}, {}, {}, "outside the rule's schedule"),
    ],
)
def test_what_silences_a_rule(rule, arming, camera, reason):
    site = {"time_zone": BERLIN, "arming": arming}
    rules = rules_of({"r": {"kind": "zone_entry", "zone": "yard"} | rule}, {"yard": SQUARE}, site=site, camera=camera)
    assert why_silent(rules, rules.active[0], ms("2026-11-21 12:00")) == reason
