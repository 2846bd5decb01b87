"""Delays and durations as operators read them."""

from __future__ import annotations

import pytest

from console.pages.times import delayed, lasting


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        pytest.param(None, "–", id="none"),
        pytest.param(420, "420 ms", id="well"),
        pytest.param(2_000, "2 s", id="late"),
        pytest.param(634_000, "10:34 min", id="far behind"),
    ],
)
def test_a_delay_is_said_as_large_as_it_is(ms: int | None, said: str) -> None:
    assert delayed(ms) == said


def test_hours_and_days() -> None:
    assert [lasting(ms) for ms in (7_800_000, 273_600_000)] == ["2 h 10 min", "3 d 4 h"]
