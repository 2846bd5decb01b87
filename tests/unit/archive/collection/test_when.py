"""When it is time to train, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archive.collection.items import Box, Item
from archive.collection.store import Collection
from archive.collection.when import Learnt, drifts, due, keep_learnt, last_learnt, teaches_detector
from archive.evidence.files import Folder
from contracts.config import Learning
from contracts.drift import DriftReport, Signal
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

DAY_MS = 86_400_000
PERSON, NO_HAT = box(kind="confirmed"), box(kind="background", attributes=("hard_hat:yes",))


def answers(count: int, answer: str, at_ms: int, *, of: Box = PERSON, **more: str) -> list[Item]:
    return [
        item(f"{answer}{at_ms}{n}", AT_MS, of, answer=answer, answered_at_ms=at_ms + n, **more) for n in range(count)
    ]


def learnt(**changes: Any) -> Learnt:
    values: dict[str, Any] = {"version": "old", "at_ms": AT_MS, "answers": 20, "candidate": "d@2", "passed": True}
    return Learnt(**(values | {"why": "20 new answers"} | changes))


BEFORE = answers(20, "true", AT_MS - DAY_MS)


@pytest.mark.parametrize(
    ("before", "items", "days", "why"),
    [
        (None, [item()], 0, ""),
        (None, answers(49, "true", AT_MS), 0, ""),
        (None, answers(50, "true", AT_MS), 0, "50 new answers"),
        (None, answers(50, "false", AT_MS, of=NO_HAT), 0, ""),
        (learnt(version="new"), answers(50, "true", AT_MS + 1), 0, ""),
        (learnt(), [*BEFORE, *answers(9, "false", AT_MS + 1)], 1, ""),
        (learnt(), [*BEFORE, *answers(10, "false", AT_MS + 1)], 1, "alerts of gate were right in 100%, now in 0%"),
        (learnt(), [*BEFORE, *answers(10, "false", AT_MS + 1, rule="question")], 1, ""),
        (learnt(), [*BEFORE, *answers(1, "true", AT_MS + 1)], 7, "7 days since the last training"),
        (learnt(), BEFORE, 30, ""),
    ],
    ids=[
        "no answers",
        "too few",
        "enough",
        "of attributes, which teach another model",
        "learnt already",
        "too few to tell",
        "drift",
        "were only asked",
        "schedule",
        "nothing new",
    ],
)
def test_when_it_is_time(before: Learnt | None, items: list[Item], days: int, why: str) -> None:
    taught = list(filter(teaches_detector, items))
    assert due(before, "new", taught, Learning(), AT_MS + days * DAY_MS) == why


def report(camera: str = "gate", **changes: Any) -> DriftReport:
    values: dict[str, Any] = {"site": "home", "part": 1, "at_ms": AT_MS, "model": "d@1", "learnt": 32, "wanted": 32}
    values |= {"confidence": 0.5, "usual_confidence": 0.71}
    signals = (
        Signal(of="confidence", distance=0.2, usual=0.1, evidence=2e4, drifted=True),
        Signal(of="appearance", distance=0.3, usual=0.1, evidence=2e4, drifted=True),
    )
    return DriftReport(camera=camera, **(values | {"signals": signals} | changes))


@pytest.mark.parametrize(
    ("reports", "sentences"),
    [
        ([], []),
        ([report(signals=())], []),
        ([report(signals=(Signal(of="appearance", distance=0.3, usual=0.1, evidence=9.0),))], []),
        ([report(model="d@2")], []),
        ([report(at_ms=AT_MS - 1)], []),
        (
            [report("yard", signals=report().signals[:1]), report(signals=report().signals[1:])],
            [
                "gate, morning: things look otherwise, 3.0 times as far as usual",
                "yard, morning: confidence was 0.71, now is 0.50",
            ],
        ),
    ],
    ids=["none", "learning", "little evidence", "another model", "before the last training", "two cameras"],
)
def test_drift_is_said_in_sentences(reports: list[DriftReport], sentences: list[str]) -> None:
    assert drifts(reports, "d@1", AT_MS - 1) == sentences


def test_drift_is_a_reason_once_there_is_an_answer_to_learn_from() -> None:
    items, now_ms = [*BEFORE, *answers(1, "true", AT_MS + 1)], AT_MS + DAY_MS
    assert due(learnt(), "new", items, Learning(), now_ms, ["gate drifts", "yard drifts"]) == "gate drifts; yard drifts"
    assert due(learnt(), "new", BEFORE, Learning(), now_ms, ["gate drifts"]) == ""


def test_the_last_training_is_known(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    assert last_learnt(collection) is None
    for one in (learnt(version="b", at_ms=AT_MS + 1), learnt(version="a")):
        keep_learnt(collection, one)
    assert last_learnt(collection) == learnt(version="b", at_ms=AT_MS + 1)
    keep_learnt(collection, learnt(version="c", at_ms=AT_MS + 2, candidate="d@3"))
    assert last_learnt(collection, candidate="d@2") == learnt(version="b", at_ms=AT_MS + 1)


def test_each_slot_has_trainings_of_its_own(tmp_path: Path) -> None:
    collection, hats = Collection(Folder(tmp_path)), "classifier:hard_hat"
    keep_learnt(collection, learnt())
    assert last_learnt(collection, hats) is None
    keep_learnt(collection, learnt(slot=hats, candidate="hard-hat@2"))
    assert last_learnt(collection, hats) == learnt(slot=hats, candidate="hard-hat@2")
    assert last_learnt(collection) == learnt()
