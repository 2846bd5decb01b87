"""The budget from what is stored to a rule's new version."""

from __future__ import annotations

import json

import pytest

from console.answers import Verdict, answer
from console.budget.outcomes import Setting
from console.budget.service import HOUR_MS, apply, budgeted
from console.changes import Changes, ConflictError
from console.hub import Hub
from console.rights import ForbiddenError, Who
from console.silencing import Silencing
from console.store.objects import ObjectKey
from console.store.store import Store
from contracts.codec import decode
from contracts.config import Suppressions
from contracts.config_file import parse
from contracts.controls import Control, SetRule
from contracts.messages import Alert, Condition, Evidence, FrameRef
from tests.console_tools import AT_MS, alert_of, person, take

YARD = {"coordinates": [[0, 0], [1, 0], [1, 1]], "loitering_time": 5}
CONFIG = {
    "cameras": {"gate": {"inputs": [{"url": "x.mp4"}], "zones": {"yard": YARD}}},
    "rules": {
        "intruder": {"kind": "zone_entry", "zone": "yard", "min_confidence": 0.5},
        "loiterer": {"kind": "loitering", "zone": "yard"},
        "off": {"kind": "zone_entry", "zone": "yard", "enabled": False},
    },
    "console": {"budget": {"alerts_per_hour": 1}},
}
MARIA = Who("maria", "supervisor")


def seen(number: int, confidence: float, **changes: object) -> Alert:
    """An alert each half hour, as a zone's rule tells it."""
    at_ms = AT_MS + number * HOUR_MS // 2
    trace = (Condition("confidence", ">= 0.50", f"{confidence:.2f}"),)
    return alert_of(number, started_at_ms=at_ms, at_ms=at_ms, **({"trace": trace} | changes))


@pytest.fixture
def changes(store: Store) -> Changes:
    """A day of alerts: the odd ones are sure and true, the even ones are neither."""
    person(store, "maria", "supervisor")
    take(store, *(seen(n, 0.8 if n % 2 else 0.6) for n in range(48)))
    for number in range(48):
        verdict = Verdict("true" if number % 2 else "nuisance")
        answer(store, Hub(), MARIA, f"alert-{number}", verdict, at_ms=AT_MS)
    return Changes(store, parse(json.dumps(CONFIG)), iter(range(AT_MS, AT_MS + 10**9)).__next__, lambda: None)


def test_what_an_answer_silences_is_no_load(store: Store, changes: Changes) -> None:
    shown = Evidence(
        ref=FrameRef("frames.home", 0, 1),
        captured_at_ms=AT_MS,
        width=640,
        height=360,
        xyxy=(100.0, 100.0, 200.0, 300.0),
        confidence=0.6,
        detail=True,
    )
    like = {"kind": "zone_entry", "label": "person", "model": "m@1", "evidence": shown}
    take(store, *(seen(n, 0.6, **like) for n in range(48, 52)))
    before = budgeted(store, changes, MARIA, AT_MS + 24 * HOUR_MS)
    silencing = Silencing("home", "UTC", Suppressions())
    answer(store, Hub(), MARIA, "alert-48", Verdict("false"), at_ms=AT_MS + 24 * HOUR_MS, silencing=silencing)
    after = budgeted(store, changes, MARIA, AT_MS + 24 * HOUR_MS)
    assert (before.silent, after.silent) == (0, 4)
    assert after.plan.rules[0].now.total == before.plan.rules[0].now.total - 4


def test_a_suggestion_is_applied_as_a_version_of_the_adopted_rule(store: Store, changes: Changes) -> None:
    found = budgeted(store, changes, MARIA, AT_MS + 24 * HOUR_MS)
    (rule,) = found.plan.rules
    assert (found.hours, rule.name, rule.now.total, rule.then.total) == (24, "intruder", 48, 24)
    assert rule.then.setting == Setting(0.8, None, 30)
    view = apply(changes, MARIA, "intruder", rule.then.setting, found.rules["intruder"].version, "a note")
    assert (view.origin, view.version, view.note) == ("console", 2, "a note")
    assert changes.config().rules["intruder"].min_confidence == 0.8
    assert [one.note for one in changes.versions(MARIA, ObjectKey("rule", "", "intruder"))][
        1
    ] == "adopted from the file"
    told = [decode(one.value, Control).change for one in store.answers.unsent(500) if one.topic == "controls"]
    assert isinstance(told[-1], SetRule)
    assert told[-1].rule.min_confidence == 0.8
    assert [one.action for one in store.audit.page(limit=2)] == ["change rule", "change rule"]
    again = budgeted(store, changes, MARIA, AT_MS + 24 * HOUR_MS)
    assert not any(one.changed for one in again.plan.rules)


def test_a_suggestion_of_before_is_refused(store: Store, changes: Changes) -> None:
    setting = Setting(0.8, None, 30)
    with pytest.raises(ForbiddenError):
        apply(changes, Who("otto", "operator"), "intruder", setting, 0, "")
    changes.adopt(MARIA, ObjectKey("rule", "", "intruder"))
    with pytest.raises(ConflictError):
        apply(changes, MARIA, "intruder", setting, 0, "")


def test_how_long_it_held_is_what_the_rule_asked_for_and_what_came_after(store: Store, changes: Changes) -> None:
    trace = (Condition("confidence", ">= 0.00", "0.70"), Condition("dwell_s", ">= 5", "5.2"))
    extra = [seen(100 + n, 0.7, rule="loiterer", trace=trace) for n in range(20)]
    take(store, *extra)
    until = [one.started_at_ms + (30_000 if n % 2 else 4_000) for n, one in enumerate(extra)]
    over = {"rule": "loiterer", "trace": trace, "revision": 1, "state": "end"}
    ends = [seen(100 + n, 0.7, ended_at_ms=ended_at_ms, **over) for n, ended_at_ms in enumerate(until)]
    take(store, *ends)
    for number in range(20):
        verdict = Verdict("true" if number % 2 else "false")
        answer(store, Hub(), MARIA, f"alert-{100 + number}", verdict, at_ms=AT_MS)
    found = budgeted(store, changes, MARIA, AT_MS + 60 * HOUR_MS)
    loiterer = next(one for one in found.plan.rules if one.name == "loiterer")
    assert (loiterer.now.setting.after_s, loiterer.then.setting.after_s) == (5.0, 35.0)
    assert (loiterer.then.true, loiterer.then.unwanted) == (10, 0)
    apply(changes, MARIA, "loiterer", loiterer.then.setting, 0, "")
    assert changes.config().rules["loiterer"].after_s == 35.0  # type: ignore[union-attr]


def test_snoozed_alerts_are_no_load(store: Store, changes: Changes) -> None:
    with store.database.write() as connection:
        store.answers.snooze(connection, "intruder", "gate", AT_MS + 10**10, "maria")
    take(store, seen(60, 0.9), seen(61, 0.9))
    assert len(store.judged.since(0, 1000)) == 48
    assert len(store.judged.since(0, 10)) == 10
    assert [one.started_at_ms for one in store.judged.since(0, 10)] == sorted(
        one.started_at_ms for one in store.judged.since(0, 10)
    )
