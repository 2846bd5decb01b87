"""What operators do: alert, answer, audit and feedback change together, only by who may, and once."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from console.answers import (
    Acknowledge,
    Action,
    Assign,
    Comment,
    Escalate,
    NoAlertError,
    NoPersonError,
    Snooze,
    Verdict,
    answer,
    answer_all,
)
from console.hub import MAX_WAITING, Hub, News, Presence, Reload
from console.rights import ForbiddenError, Role, Who
from console.snoozes import NoSnoozeError, Snoozes
from console.store.accounts import User
from console.store.rows import Filter
from console.store.store import Store
from contracts.codec import decode
from contracts.messages import Feedback
from tests.api_tools import Browser, signed_in
from tests.console_tools import AT_MS, alert_of, person, take

ANNA = Who("anna", "operator")
LATER = AT_MS + 5000
ACTIONS: list[tuple[Action, dict[str, object]]] = [
    (Acknowledge(), {"status": "acknowledged", "acknowledged_at_ms": LATER, "acknowledged_by": "anna"}),
    (Verdict("false"), {"status": "answered", "verdict": "false", "acknowledged_at_ms": LATER}),
    (Assign("bob"), {"status": "open", "assigned_to": "bob"}),
    (Escalate("bob", "too many"), {"status": "open", "assigned_to": "bob", "escalated_at_ms": LATER}),
    (Escalate(), {"assigned_to": "", "escalated_at_ms": LATER}),
    (Comment("a \0 bush"), {"status": "open"}),
    (Snooze(30), {"status": "snoozed", "acknowledged_by": "anna"}),
]


@pytest.fixture
def ready(store: Store) -> Store:
    """Two people and three alerts."""
    person(store)
    person(store, "bob", "supervisor")
    take(store, *(alert_of(n) for n in range(3)))
    return store


def sent(store: Store) -> list[Feedback]:
    return [decode(one.value, Feedback) for one in store.answers.unsent()]


@pytest.mark.parametrize(("action", "leads_to"), ACTIONS)
def test_an_answer_changes_the_alert_and_is_told(ready: Store, action: Action, leads_to: dict[str, object]) -> None:
    row = answer(ready, Hub(), ANNA, "alert-1", action, at_ms=LATER)
    assert {name: getattr(row, name) for name in leads_to} == leads_to
    assert ready.alerts.get("alert-1") == row
    (said,) = ready.answers.of("alert-1")
    (told,) = sent(ready)
    alert = alert_of(1)
    assert (told.id, told.alert, told.operator, told.at_ms, told.action) == (
        said.id,
        "alert-1",
        "anna",
        LATER,
        said.action,
    )
    assert (told.rule_version, told.evidence, told.label, told.model) == (7, alert.evidence, "person", "vedette-nano@3")
    assert (told.verdict, told.to, told.text, told.until_ms) == (said.verdict, said.to, said.text, said.until_ms)
    assert [(one.who, one.action, one.subject) for one in ready.audit.page()] == [("anna", said.action, "alert-1")]
    assert ready.alerts.get("alert-2").status == "open"  # type: ignore[union-attr]


def test_the_latest_verdict_counts_and_the_first_acknowledgement_stays(ready: Store) -> None:
    answer(ready, Hub(), ANNA, "alert-1", Acknowledge(), at_ms=LATER)
    answer(ready, Hub(), ANNA, "alert-1", Verdict("true"), at_ms=LATER + 1)
    row = answer(ready, Hub(), Who("bob", "supervisor"), "alert-1", Verdict("nuisance"), at_ms=LATER + 2)
    assert (row.verdict, row.status, row.acknowledged_by, row.acknowledged_at_ms) == (
        *("nuisance", "answered"),
        *("anna", LATER),
    )
    assert [one.verdict for one in sent(ready)] == [None, "true", "nuisance"]


def test_asked_again_after_no_reply_it_is_done_once(ready: Store) -> None:
    for _ in range(3):
        row = answer(ready, Hub(), ANNA, "alert-1", Verdict("false"), at_ms=LATER, answer_id="mine")
        assert row.verdict == "false"
    assert len(ready.answers.of("alert-1")) == len(sent(ready)) == len(ready.audit.page()) == 1


def test_a_snoozed_rule_is_quiet_on_that_camera_for_that_long(ready: Store) -> None:
    answer(ready, Hub(), ANNA, "alert-1", Snooze(1), at_ms=AT_MS)
    inside, after = {"started_at_ms": AT_MS + 59_999}, {"started_at_ms": AT_MS + 60_000}
    take(ready, alert_of(10, **inside), alert_of(11, camera="hall", **inside), alert_of(12, rule="other", **inside))
    take(ready, alert_of(13, **after))
    states = {row.id: row.status for row in ready.alerts.page(Filter()).rows}
    assert (states["alert-10"], states["alert-11"], states["alert-12"], states["alert-13"]) == (
        *("snoozed", "open"),
        *("open", "open"),
    )
    assert ready.answers.snoozed(AT_MS) == [("intruder", "gate", AT_MS + 60_000, "anna")]
    assert ready.answers.snoozed(AT_MS + 60_000) == []


def test_a_snooze_is_ended_before_its_time(ready: Store) -> None:
    hub, bob = Hub(), Who("bob", "supervisor")
    snoozes = Snoozes(ready, hub, lambda: LATER)
    answer(ready, hub, ANNA, "alert-1", Snooze(30), at_ms=AT_MS)
    within = {"started_at_ms": AT_MS + 1000}
    take(ready, alert_of(1, revision=1, state="end"), alert_of(10, **within), alert_of(11, state="end", **within))
    told: list[News] = []
    hub.tell = lambda *news: told.extend(news)  # type: ignore[method-assign]
    snoozes.end(bob, "intruder", "gate")
    take(ready, alert_of(12, started_at_ms=LATER))
    states = {row.id: row.status for row in ready.alerts.page(Filter()).rows}
    assert (states["alert-1"], states["alert-10"], states["alert-11"], states["alert-12"]) == (
        *("acknowledged", "open"),
        *("snoozed", "open"),
    )
    assert told == ready.alerts.rows(["alert-10", "alert-1"])
    assert snoozes.running(ANNA) == []
    last = ready.audit.page()[0]
    assert (last.who, last.action, last.subject) == ("bob", "snooze ended", "intruder")


@pytest.mark.parametrize(
    ("who", "rule", "at_ms", "error"),
    [
        pytest.param(Who("vera", "viewer"), "intruder", LATER, ForbiddenError, id="a viewer"),
        pytest.param(Who("hal", "operator", frozenset({"hall"})), "intruder", LATER, NoSnoozeError, id="not theirs"),
        pytest.param(ANNA, "other", LATER, NoSnoozeError, id="another rule"),
        pytest.param(ANNA, "intruder\0", LATER, NoSnoozeError, id="no name"),
        pytest.param(ANNA, "intruder", AT_MS + 60_000, NoSnoozeError, id="over"),
    ],
)
def test_no_other_snooze_is_ended(ready: Store, who: Who, rule: str, at_ms: int, error: type[Exception]) -> None:
    answer(ready, Hub(), ANNA, "alert-1", Snooze(1), at_ms=AT_MS)
    with pytest.raises(error):
        Snoozes(ready, Hub(), lambda: at_ms).end(who, rule, "gate")
    assert len(ready.answers.snoozed(AT_MS)) == len(ready.audit.page()) == 1


def test_the_api_lists_and_ends_snoozes(parts, ada: Browser) -> None:
    take(parts.store, alert_of(20, camera="gate"))
    otto, vera = signed_in(parts, ada, "otto", "operator"), signed_in(parts, ada, "vera", "viewer")
    snooze = {"answer": {"action": "snooze", "minutes": 60}}
    assert otto.post("/api/alerts/alert-20/answers", json=snooze).is_success
    (row,) = vera.get("/api/snoozes").json()["snoozes"]
    assert (row["camera"], row["rule"], row["operator"]) == ("gate", "intruder", "otto")
    statuses = [one.delete("/api/snoozes/gate/intruder").status_code for one in (vera, otto, otto)]
    assert statuses == [403, 204, 404]
    assert otto.get("/api/snoozes").json() == {"snoozes": []}


def test_many_at_once_are_all_or_none(ready: Store) -> None:
    with pytest.raises(NoAlertError):
        answer_all(ready, Hub(), ANNA, ["alert-1", "alert-9"], Acknowledge(), at_ms=LATER)
    assert sent(ready) == []
    rows = answer_all(ready, Hub(), ANNA, ["alert-2", "alert-1", "alert-2"], Acknowledge(), at_ms=LATER)
    assert [row.id for row in rows] == ["alert-2", "alert-1"]
    assert [one.alert for one in sent(ready)] == ["alert-2", "alert-1"]


@pytest.mark.parametrize(
    ("who", "error"),
    [
        (Who("vera", "viewer"), ForbiddenError),
        (Who("gone", "operator"), ForbiddenError),
        (Who("shut", "operator"), ForbiddenError),
        (Who("hall-only", "operator"), NoAlertError),
        (Who("anna", "operator", None, frozenset({"read"})), ForbiddenError),
        # What the page says of itself doesn't count, what the account says does.
        (Who("vera", "administrator"), ForbiddenError),
        (Who("hall-only", "operator", None), NoAlertError),
    ],
)
def test_only_who_may(ready: Store, who: Who, error: type[Exception]) -> None:
    person(ready, "vera", "viewer")
    person(ready, "hall-only", "operator", ("hall",))
    with ready.database.write() as connection:
        shut = replace(person_of(ready, "anna"), name="shut", disabled=True)
        ready.accounts.save(connection, shut)
    with pytest.raises(error):
        answer(ready, Hub(), who, "alert-1", Verdict("true"), at_ms=LATER)
    assert sent(ready) == []
    assert ready.audit.page() == []


def person_of(store: Store, name: str) -> User:
    user = store.accounts.user(name)
    assert user is not None
    return user


def test_an_alert_goes_only_to_people_who_see_it(ready: Store) -> None:
    person(ready, "hall-only", "operator", ("hall",))
    for name in ("hall-only", "nobody"):
        with pytest.raises(NoPersonError, match=name):
            answer(ready, Hub(), ANNA, "alert-1", Assign(name), at_ms=LATER)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"see"}),
        ("operator", {"see", "answer", "snooze", "report", "own_tokens"}),
        ("administrator", {"see", "answer", "snooze", "report", "own_tokens", "arm", "export", "configure"}),
    ],
)
def test_roles(role: Role, allowed: set[str]) -> None:
    every = ("see", "answer", "snooze", "report", "own_tokens", "arm", "export", "configure")
    assert {one for one in every if Who("x", role).may(one)} == allowed  # type: ignore[arg-type]


def test_the_hub_tells_everybody_and_a_slow_one_to_reload(store: Store) -> None:
    asyncio.run(told_and_told_to_reload(store))


async def told_and_told_to_reload(store: Store) -> None:
    hub = Hub()
    quick, slow = hub.subscribe("anna"), hub.subscribe("bob")
    rows = store.take([alert_of(1)], "c", {}, AT_MS)
    await asyncio.to_thread(hub.publish, rows)
    assert await anext(quick) == rows[0]
    quick.look_at("alert-1")
    assert await anext(quick) == Presence("alert-1", ("anna",))
    for _ in range(MAX_WAITING + 5):
        hub.publish(rows)
    await asyncio.sleep(0.01)
    news = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert Reload() in news
    assert len(news) <= MAX_WAITING
    quick.close()
    assert hub.lookers("alert-1") == ()
