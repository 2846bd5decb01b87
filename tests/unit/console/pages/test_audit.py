"""The audit's details in one line that people read."""

from __future__ import annotations

import json

import pytest

from console.pages.audit import details
from console.pages.parts import Link
from console.pages.subjects import subject_of

AT_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"verdict": "false"}, "verdict: false"),
        ({"until_ms": AT_MS, "rule": "lawn"}, "until: 5 Jan, 01:00:00, rule: lawn"),
        ({"started_at_ms": AT_MS}, "started at: 5 Jan, 01:00:00"),
        ({"to": "", "text": None}, ""),
        ({"until_ms": None}, ""),
        ({"since_ms": 2**62, "until_ms": 253_402_300_799_999}, f"since: {2**62} ms, until: 253402300799999 ms"),
    ],
    ids=["a word", "until when", "a time of a thing", "nothing said", "no time", "beyond the calendar"],
)
def test_details_are_words_and_the_sites_times(given: dict[str, object], said: str) -> None:
    assert details(json.dumps(given), "Europe/Berlin") == said


ALERT = "971d5b2a-92f5-5ea1-9d66-55a3ac4994ed"


@pytest.mark.parametrize(
    ("action", "subject", "shown"),
    [
        ("look", ALERT, Link("alert 971d5b2a", f"/?status=all&alert={ALERT}")),
        ("missed", "gate", Link("gate", "/live?camera=gate")),
        ("live.watch", "all cameras", Link("all cameras", "/live")),
        ("change zone", "zone/gate/yard", Link("zone/gate/yard", "/setup?camera=gate")),
        ("change rule", "rule//at night", Link("rule//at night", "/setup?rule=at%20night")),
        ("change camera", "camera/gate/", Link("camera/gate", "/setup?tab=sources&camera=gate")),
        ("change budget", "budget//", Link("budget", "/budget")),
        ("enrol", "person/p1", Link("person/p1", "/people?person=p1")),
        ("model_promoted", "detector@2", Link("detector@2", "/models?version=detector%402")),
        ("invite", "vic", Link("vic", "/accounts")),
        ("login", "", ""),
        ("retention", "alerts", "alerts"),
    ],
)
def test_an_entry_leads_to_what_it_is_about(action, subject, shown):
    assert subject_of(action, subject) == shown
