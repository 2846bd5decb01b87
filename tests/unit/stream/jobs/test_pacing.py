"""How much of its rate a camera may send: less while it is decided late, all of it again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from contracts.config import Pace
from contracts.edge_messages import EdgeStatus
from stream.jobs.pacing import OLD_MS, Pacer, PaceState

T0_MS = 1_767_225_600_000
DEFAULT = Pace()


def told(behind_s: Callable[[int], float], until_s: int, config: Pace = DEFAULT) -> Iterator[tuple[int, float]]:
    """When (s) which share is told to a camera that sends a frame a second, each decided `behind_s` late."""
    pacer, state = Pacer(config), PaceState()
    for second in range(until_s):
        wall_ms = T0_MS + 1000 * second
        state, share = pacer.step(state, wall_ms - round(1000 * behind_s(second)), wall_ms)
        if share is not None:
            yield second, share


def test_a_camera_that_is_on_time_sends_all_and_is_told_once() -> None:
    assert list(told(lambda _: 0.1, 600)) == [(0, 1.0)]


def test_what_a_restart_leaves_is_worked_off_at_the_full_rate() -> None:
    assert list(told(lambda second: 60 if 100 < second < 200 else 0.1, 600)) == [(0, 1.0)]


def test_overload_halves_every_two_minutes_down_to_the_least_and_comes_back_by_and_by() -> None:
    found = list(told(lambda second: 30 if 60 <= second < 600 else 0.1, 1200))
    assert found == [(0, 1.0), (180, 0.5), (300, 0.25), (660, 0.375), (720, 0.5625), (780, 0.84375), (840, 1.0)]


def test_least_1_never_lowers() -> None:
    assert list(told(lambda _: 30, 600, Pace(least=1))) == [(0, 1.0)]


def test_where_the_config_s_least_is_raised_what_was_lowered_further_is_raised_at_once() -> None:
    state = PaceState(share=0.25, late=True, since_ms=T0_MS)
    state, share = Pacer(Pace(least=0.5)).step(state, T0_MS - 29_000, T0_MS + 1000)
    assert (share, state.share) == (0.5, 0.5)


def test_what_is_older_than_the_topic_keeps_it_says_nothing() -> None:
    assert list(told(lambda _: OLD_MS / 1000 + 1, 600)) == []


@pytest.mark.parametrize(("offset_ms", "late"), [(-30_000, False), (30_000, True), (None, True)])
def test_how_late_a_frame_is_goes_by_the_broker_s_clock(offset_ms: int | None, late: bool) -> None:
    """The agent's word is 30 s old: its clock is behind by that, or its frames were under way for so long or longer."""
    status = EdgeStatus(
        site="s", camera="gate", agent="a", session=1, at_ms=T0_MS, state="up", clock_offset_ms=offset_ms
    )
    pacer = Pacer(Pace())
    state = pacer.heard(PaceState(), status)
    state, _ = pacer.step(state, T0_MS - 30_000, T0_MS)
    assert state.late == late
