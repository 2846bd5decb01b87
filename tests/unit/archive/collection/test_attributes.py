"""What answers say of an attribute: of which box, which value, how surely, and what they leave open."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.collection.attributes import Shown, Wanted, asked, shown
from archive.collection.items import Item, Sample
from contracts.attributes import TrackAttribute
from contracts.messages import Condition
from tests.builders import jpeg_of
from tests.collection_tools import Answering, Told, box, item
from tests.evidence_tools import AT_MS, alert

HAT = Wanted("hard_hat", ("no", "yes"), ("person",), {"helmet": "yes"})
RULE: dict[str, Any] = {
    "trace": (Condition("label", "person", "person"), Condition("hard_hat", "no", "no (0.93 of 4 looks)")),
    "attributes": (
        TrackAttribute(name="hard_hat", value="no", confidence=0.93, looks=4),
        TrackAttribute(name="vest", value="yes", confidence=0.9, looks=4),
    ),
}
BARE, MANY = ("hard_hat:no",), ("hard_hat:no", "vest:no")


def of(*items: Item, wanted: Wanted = HAT) -> tuple[list[Shown], Counter[str]]:
    left: Counter[str] = Counter()
    return list(shown(items, wanted, left)), left


def test_only_what_the_rule_asked_for_was_answered() -> None:
    assert asked(alert(**RULE)) == BARE
    assert asked(alert()) == ()


@pytest.mark.parametrize(
    ("said", "value", "sure"),
    [
        (item("a", AT_MS, box(kind="confirmed", attributes=BARE)), "no", True),
        (item("a", AT_MS, box(kind="confirmed", attributes=BARE), source="sample"), "no", False),
        (item("a", AT_MS, box(kind="background", attributes=BARE), box(101)), "yes", False),
        (item("a", AT_MS, box(kind="confirmed", label="helmet"), complete=True), "yes", True),
    ],
    ids=["confirmed", "on another frame of the track", "denied, and somebody is there", "drawn"],
)
def test_what_is_shown(said: Item, value: str, sure: bool) -> None:
    ((one,), left) = of(said)
    assert (one.value, one.sure, left) == (value, sure, {})


@pytest.mark.parametrize(
    ("said", "wanted", "reason"),
    [
        (item("a", AT_MS, box(kind="background", attributes=BARE)), HAT, "denied, and models see nothing there"),
        (
            item("a", AT_MS, box(kind="background", attributes=MANY), box()),
            HAT,
            "denied, and several things may have been meant",
        ),
        (
            item("a", AT_MS, box(kind="background", attributes=BARE), box()),
            HAT._replace(values=("no", "yes", "cap")),
            "denied, and several things may have been meant",
        ),
        (
            item("a", AT_MS, box(kind="confirmed", attributes=("hard_hat:maybe",))),
            HAT,
            "a value that is no label",
        ),
    ],
    ids=["nobody there", "two attributes", "three values", "another value"],
)
def test_what_says_nothing_is_counted(said: Item, wanted: Wanted, reason: str) -> None:
    assert of(said, wanted=wanted) == ([], {reason: 1})


@pytest.mark.parametrize(
    "said",
    [
        item("a", AT_MS, box(kind="confirmed")),
        item("a", AT_MS, box(kind="confirmed", attributes=("vest:no",))),
        item("a", AT_MS, box(kind="confirmed", label="car", attributes=BARE)),
        item("a", AT_MS, box(kind="confirmed", label="helmet")),
    ],
    ids=["no attribute", "another attribute", "another thing", "missed, not drawn"],
)
def test_what_is_about_something_else_is_passed_over(said: Item) -> None:
    assert of(said) == ([], {})


def test_an_answer_becomes_a_value_on_its_frame_and_on_others_of_the_track(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true", track_ids=(4,), **RULE)
    jpeg = jpeg_of(np.full((90, 160, 3), 200, np.uint8))
    kept = item(site.collection.keep_picture(jpeg), AT_MS + 2000, source="sample")
    site.collection.keep_sample(Sample(item=kept, tracks={4: box(40), 5: box(100)}), jpeg)
    about, _ = site.collector(Told(box(41))).collect(AT_MS)
    found, left = of(*site.collection.load(about.id).items)
    assert [(one.value, one.sure, one.alert, one.xyxy[0]) for one in found] == [
        ("no", True, "a", 25),
        ("no", False, "a", 40),
    ]
    assert not left


def test_who_denies_an_attribute_has_not_said_that_nobody_is_there() -> None:
    said = item("a", AT_MS, box(kind="background", attributes=BARE), box(101))
    assert [one.kind for one in said.learnt] == ["pseudo"]


def test_two_alerts_about_one_box_are_learnt_once() -> None:
    said = item("a", AT_MS, box(kind="confirmed", alert="x"), box(kind="confirmed", alert="y", attributes=BARE))
    assert len(said.learnt) == 1
