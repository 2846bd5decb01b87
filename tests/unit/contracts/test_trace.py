"""Traceparents: the same for the same thing, "" where nothing is traced, and a fair share of all frames."""

from __future__ import annotations

import pytest

from contracts.trace import child, exemplar, first, ids_of, sampled

FIRST = first("home", "gate", 3, 44, 1_767_571_200_123)


def test_the_same_frame_has_the_same_trace_and_another_one_another() -> None:
    assert first("home", "gate", 3, 44, 1_767_571_200_123) == FIRST
    assert ids_of(FIRST) != ids_of(first("home", "gate", 3, 45, 1_767_571_200_123))
    assert len(FIRST) == 55


def test_a_child_is_in_the_same_trace_and_each_child_is_another_span() -> None:
    children = [child(FIRST, "detect"), child(FIRST, "alert", "a", 1), child(FIRST, "alert", "a", 2)]
    found = [ids for one in (FIRST, *children) if (ids := ids_of(one)) is not None]
    assert len({trace for trace, _ in found}) == 1
    assert len({span for _, span in found}) == 4


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param("", id="not sampled"),
        pytest.param(FIRST[:-2] + "00", id="the flag says so"),
        pytest.param(f"00-{'0' * 32}-{'1' * 16}-01", id="no trace"),
        pytest.param(f"00-{'1' * 32}-{'0' * 16}-01", id="no span"),
        pytest.param(FIRST.upper(), id="capitals"),
        pytest.param("gibberish", id="gibberish"),
    ],
)
def test_what_is_no_traceparent_of_ours_leads_nowhere(traceparent: str) -> None:
    assert ids_of(traceparent) is None
    assert child(traceparent, "detect") == ""
    assert exemplar(traceparent) is None


@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5])
def test_the_share_holds_also_of_every_third_or_fifth_picture(share: float, step: int) -> None:
    count = sum(sampled(index, share) for index in range(0, 100_000 * step, step))
    assert count == pytest.approx(100_000 * share, rel=0.05)


def test_none_and_all() -> None:
    assert not any(sampled(index, 0.0) for index in range(1000))
    assert all(sampled(index, 1.0) for index in range(1000))
