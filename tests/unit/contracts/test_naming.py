"""Ids on the wire, names where they are shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from contracts.identity import Identified, RunnerUp
from contracts.messages import Alert, Condition
from contracts.naming import mention, mentioned, named, nameless, spoken
from tests.console_tools import alert_of

CALLED = {"p-1": "Ann", "p-2": "Bob Ann"}
BEFORE = replace(
    alert_of(),
    why="Ann (banned) seen",
    trace=(Condition("person", "Ann or group vip", "Ann (banned)"), Condition("likeness", ">= 0.5", "0.7")),
    identity=Identified(
        decision="identified",
        person_id="p-1",
        name="Ann",
        group="banned",
        runners_up=(RunnerUp("p-2", "Bob Ann", 0.3),),
    ),
)
"""As the version before wrote it."""


def name_of(person_id: str) -> str:
    return CALLED.get(person_id, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("person/p-1 (banned) seen", "Ann (banned) seen"),
        ("person/p-1, then person/p-9", "Ann, then removed person"),
        ("person in yard", "person in yard"),
    ],
    ids=["somebody", "somebody removed", "nobody"],
)
def test_a_sentence_is_shown_with_names(text: str, shown: str) -> None:
    assert spoken(text, name_of) == shown


def test_who_is_mentioned_is_found() -> None:
    assert mentioned(f"{mention('p-1')} and {mention('0a1b-2c')}, not a person") == ["p-1", "0a1b-2c"]


def test_what_is_kept_of_the_version_before_has_ids_and_is_shown_as_it_was() -> None:
    kept = nameless(BEFORE)
    assert "Ann" not in str(kept)
    assert kept.why == "person/p-1 (banned) seen"
    assert nameless(kept) is kept
    assert named(kept, name_of) == BEFORE


def test_who_is_removed_is_named_no_more() -> None:
    shown = named(nameless(BEFORE), lambda _: "")
    assert isinstance(shown, Alert)
    assert shown.identity is not None
    assert (shown.identity.name, shown.identity.runners_up) == ("removed person", ())
    assert (shown.why, shown.trace[0].got) == ("removed person (banned) seen", "removed person (banned)")


def test_an_alert_about_nobody_stays_as_it_is() -> None:
    assert named(alert_of(), name_of) == nameless(alert_of()) == alert_of()
