"""What stands on `edge-controls`: applied when it is for this site and makes sense, else a dead letter."""

from __future__ import annotations

import hashlib

import pytest
from prometheus_client import CollectorRegistry

from contracts.codec import encode
from contracts.controls import Budget, EdgeControl, StopCamera
from contracts.messages import DeadLetter
from contracts.metrics import Metrics
from edge.controls import ControlFollower

BUDGET = Budget(camera="gate", fps=2)


class Setup:
    def __init__(self) -> None:
        self.applied: list[Budget | StopCamera] = []
        self.letters: list[DeadLetter] = []
        self.registry = CollectorRegistry()
        self.follower = ControlFollower(
            site="yard", bootstrap=("nowhere:1",), apply=self.apply, dead_letter=self.letters.append,
            now_ms=lambda: 7, made=Metrics(self.registry),
        )  # fmt: skip

    def apply(self, change: Budget | StopCamera) -> None:
        if change.camera != "gate":
            raise ValueError(f"there is no camera `{change.camera}`")
        self.applied.append(change)


def test_a_control_of_this_site_is_applied() -> None:
    setup = Setup()
    stop = StopCamera(camera="gate")
    for offset, change in enumerate((BUDGET, stop)):
        setup.follower.handle(encode(EdgeControl(site="yard", change=change)), 0, offset)
    assert setup.applied == [BUDGET, stop]
    assert setup.letters == []


@pytest.mark.parametrize("value", [None, encode(EdgeControl(site="other", change=BUDGET))], ids=["tombstone", "other"])
def test_what_is_not_for_this_site_is_passed_over(value: bytes | None) -> None:
    setup = Setup()
    setup.follower.handle(value, 0, 0)
    assert setup.applied == setup.letters == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "no EdgeControl"),  # empty
        (b"\xff" * 100_000, "no EdgeControl"),  # random, and too large to keep
        (encode(EdgeControl(site="yard", change=BUDGET))[:-3], "no EdgeControl"),  # truncated
        (encode(EdgeControl(v=9, site="yard", change=BUDGET)), "version 9"),  # of a later writer
        (encode(EdgeControl(site="yard", change=Budget(camera="lost"))), "no camera `lost`"),  # names nothing
    ],
)
def test_what_makes_no_sense_becomes_a_dead_letter(value: bytes, reason: str) -> None:
    setup = Setup()
    setup.follower.handle(value, 0, 12)
    assert setup.applied == []
    [letter] = setup.letters
    assert reason in letter.reason
    assert (letter.topic, letter.offset, letter.source, letter.at_ms) == ("edge-controls", 12, "edge", 7)
    assert (letter.size, letter.sha256) == (len(value), hashlib.sha256(value).hexdigest())
    assert letter.payload == value[: 64 * 1024]
    assert setup.registry.get_sample_value("vedette_dead_letters_total", {"source": "edge"}) == 1
