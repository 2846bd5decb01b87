"""How many alerts there were, when, of what, and how long they waited."""

import pytest

from console.answers import Acknowledge, Verdict, answer
from console.hub import Hub
from console.rights import Who
from console.store.rows import Filter
from console.store.store import Store
from tests.console_tools import AT_MS, alert_of, person, take

MINUTE_MS = 60_000


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'console.db'}")
    store.open()
    yield store
    store.close()


def test_counts_in_buckets_by_severity_and_camera(store):
    at = [AT_MS, AT_MS + 59_999, AT_MS + 60_000, AT_MS + 600_000]
    severities = ("high", "high", "low", "high")
    cameras = ("gate", "hall", "gate", "gate")
    take(
        store,
        *(
            alert_of(number, started_at_ms=at[number], severity=severities[number], camera=cameras[number])
            for number in range(4)
        ),
    )
    until_ms = AT_MS + 600_000
    assert store.load.over_time(AT_MS, until_ms, MINUTE_MS) == [(AT_MS, "high", 2), (AT_MS + MINUTE_MS, "low", 1)]
    assert store.load.over_time(AT_MS, until_ms, MINUTE_MS, frozenset({"hall"})) == [(AT_MS, "high", 1)]
    assert store.load.over_time(AT_MS, until_ms, MINUTE_MS, frozenset()) == []


def test_a_question_waits_apart_and_is_nobodys_load(store):
    person(store, "anna")
    take(store, alert_of(1, severity="info", kind="question", rule="question"), at_ms=AT_MS)
    (row,) = store.alerts.page(Filter(statuses=("question",))).rows
    assert not store.alerts.page(Filter(statuses=("open", "acknowledged"))).rows
    assert sum(store.alerts.open_counts().values()) == 0
    answer(store, Hub(), Who("anna", "operator"), row.id, Verdict("true"), at_ms=AT_MS + 10_000)
    assert [one.verdict for one in store.alerts.page(Filter(statuses=("answered",))).rows] == ["true"]
    until_ms = AT_MS + MINUTE_MS
    assert store.load.over_time(AT_MS, until_ms, MINUTE_MS) == store.load.judged("rule", AT_MS, until_ms) == []
    assert store.load.waits(AT_MS, until_ms) == (0, 0.0, 0.0)


def test_verdicts_and_waits(store):
    person(store, "anna")
    take(store, *(alert_of(number, rule=("a", "b")[number == 3]) for number in range(4)), at_ms=AT_MS)
    who, hub = Who("anna", "operator"), Hub()
    for number, verdict in ((0, "true"), (1, "false")):
        answer(store, hub, who, f"alert-{number}", Verdict(verdict), at_ms=AT_MS + 10_000 * (number + 1))
    answer(store, hub, who, "alert-3", Acknowledge(), at_ms=AT_MS + 90_000)
    judged = store.load.judged("rule", AT_MS, AT_MS + MINUTE_MS)
    assert [(one.name, one.total, one.nuisance_share) for one in judged] == [("a", 3, 0.5), ("b", 1, None)]
    assert store.load.waits(AT_MS, AT_MS + MINUTE_MS) == (3, 20.0, 90.0)
    assert store.load.waits(AT_MS, AT_MS + MINUTE_MS, frozenset({"hall"})) == (0, 0.0, 0.0)
