"""The audit's details in one line that people read."""

from __future__ import annotations

import json

import pytest

from console.pages.audit import details

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
    ],
    ids=["a word", "until when", "a time of a thing", "nothing said", "no time"],
)
def test_details_are_words_and_the_sites_times(given: dict[str, object], said: str) -> None:
    assert details(json.dumps(given), "Europe/Berlin") == said
