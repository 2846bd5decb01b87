"""Which versions of a control the jobs keep."""

from __future__ import annotations

import pytest

from contracts.config import Arming
from contracts.controls import Control, SetArming
from stream.jobs.broadcast import MAX_VERSIONS, newest


@pytest.mark.parametrize(
    ("what", "effective_ms", "kept"),
    [
        ("one", [0], [0]),
        ("changes far apart: the last two", [0, 60_000, 120_000], [60_000, 120_000]),
        ("three in a second: also the one that is in force meanwhile", [0, 60_000, 60_200, 60_400], None),
        ("just settled", [0, 59_000, 60_000], [59_000, 60_000]),
    ],
)
def test_what_is_in_force_while_changes_follow_each_other_is_kept(what, effective_ms, kept) -> None:
    versions = [control(at_ms) for at_ms in effective_ms]
    assert [one.effective_from_ms for one in newest(versions)] == (effective_ms if kept is None else kept), what


def test_a_flood_is_bounded() -> None:
    assert [one.version for one in newest([control(k) for k in range(100)])] == list(range(100 - MAX_VERSIONS, 100))


def control(at_ms: int) -> Control:
    change = SetArming(arming=Arming())
    return Control(site="site", origin="console", version=at_ms, effective_from_ms=at_ms, change=change)
