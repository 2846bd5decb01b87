"""The store, on SQLite and on PostgreSQL: what is taken is there once, and what a filter wants is found."""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError

from console.store import find
from console.store.alerts import unfit
from console.store.database import BUSY_MS
from console.store.find import lets_through
from console.store.rows import AlertRow, Cursor, CursorError, Filter
from console.store.store import Store
from console.store.tables import alert_people, alerts, metadata, people, revisions
from contracts.identity import Identified, RunnerUp
from tests.console_tools import AT_MS, alert_of, take


def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    with store.database.read() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    # The search for words is made by hand, of a kind for each database.
    differences = [one for one in found if "alerts_words" not in str(one) and "search" not in str(one)]
    assert differences == []
    store.database.upgrade()  # a second start changes nothing


def test_an_alert_is_there_once_with_its_newest_revision(store: Store) -> None:
    take(store, alert_of(1), alert_of(1, revision=1, state="update", why="Two people"), alert_of(1))
    take(store, alert_of(1), alert_of(1, revision=2, state="end", ended_at_ms=AT_MS + 9))
    (row,) = store.alerts.page(Filter()).rows
    assert (row.revision, row.state, row.ended_at_ms, row.why) == (2, "end", AT_MS + 9, "A person came into the yard")
    assert [one.revision for one in store.alerts.history("alert-1")] == [0, 1, 2]
    assert store.alerts.body("alert-1") == alert_of(1, revision=2, state="end", ended_at_ms=AT_MS + 9)


def test_what_changes_nothing_is_not_told(store: Store) -> None:
    first = store.take([alert_of(1)], "c", {}, AT_MS)
    assert [row.id for row in first] == ["alert-1"]
    assert store.take([alert_of(1)], "c", {}, AT_MS) == []


def test_the_queue_is_ordered_by_severity_then_time_and_paged_by_key(store: Store) -> None:
    severities = ("low", "critical", "high")
    take(store, *(alert_of(n, severity=severities[n % 3], started_at_ms=AT_MS + n // 2) for n in range(50)))
    whole = store.alerts.page(Filter(), limit=100)
    assert whole.next is None
    order = [(("high", "critical").index(r.severity) if r.severity != "low" else -1, r.started_at_ms, r.number)
             for r in whole.rows]  # fmt: skip
    assert order == sorted(order, reverse=True)
    assert [row.id for row in paged(store, Filter(), 7)] == [row.id for row in whole.rows]


def test_a_page_goes_on_where_the_last_ended_whatever_came_since(store: Store) -> None:
    take(store, *(alert_of(n) for n in range(10)))
    first = store.alerts.page(Filter(), limit=4)
    take(store, *(alert_of(n) for n in range(10, 20)))
    second = store.alerts.page(Filter(), first.next, limit=4)
    assert [row.id for row in first.rows + second.rows] == [f"alert-{n}" for n in range(9, 1, -1)]


def many(count: int) -> list:
    """Alerts with all kinds of values, always the same."""
    chance = random.Random(5)
    return [
        alert_of(
            number,
            camera=chance.choice(("gate", "hall", "yard-2")),
            zone=chance.choice(("", "yard", "door")),
            rule=(rule := chance.choice(("intruder", "loitering"))),
            kind=rule,
            label=chance.choice(("person", "car", "")),
            severity=chance.choice(("info", "medium", "critical")),
            started_at_ms=AT_MS + chance.randrange(200),
            why=chance.choice(("Eine Person über dem Zaun", "A car parks", "Two bags", "A person ran for 12 s")),
        )
        for number in range(count)
    ]


FILTERS = [
    Filter(),
    Filter(cameras=("gate",)),
    Filter(cameras=("gate", "hall"), labels=("car",)),
    Filter(zones=("",), severities=("critical", "info")),
    Filter(rules=("loitering",), kinds=("loitering",), since_ms=AT_MS + 50, until_ms=AT_MS + 120),
    Filter(statuses=("open", "snoozed")),
    Filter(statuses=("answered",)),
    Filter(verdicts=("",), labels=("",)),
    Filter(cameras=("nowhere",)),
    Filter(text="uber zaun"),
    Filter(text="CAR pa"),
    Filter(text="person 12", cameras=("hall",)),
    Filter(text="yard-2"),
    Filter(text="bags", severities=("medium",), since_ms=AT_MS + 20),
    Filter(text="cars"),
    Filter(text="!?"),
    Filter(persons=("p\0",)),
]


@pytest.mark.parametrize(
    ("probe", "few_found"), [(1, 0), (1, 3000), (40, 3000)], ids=["words are dense", "words are rare", "met at once"]
)
def test_each_filter_finds_what_it_says(
    store: Store, probe: int, few_found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "PROBE", probe)
    monkeypatch.setattr(find, "FEW_FOUND", few_found)
    monkeypatch.setattr(find, "MOST_PASSED", 7)
    take(store, *many(120))
    store.alerts.count_dimensions()
    every = store.alerts.page(Filter(), limit=500).rows
    for filter in FILTERS:
        wanted = [row.id for row in every if lets_through(filter, row)]
        assert [row.id for row in paged(store, filter, 17)] == wanted, filter
    assert sum(any(lets_through(filter, row) for row in every) for filter in FILTERS) == len(FILTERS) - 5


def test_nobody_finds_what_their_cameras_did_not_see(store: Store) -> None:
    take(store, *many(60))
    allowed = frozenset({"hall", "elsewhere"})
    assert {row.camera for row in store.alerts.page(Filter(), limit=500, cameras=allowed).rows} == {"hall"}
    assert store.alerts.page(Filter(cameras=("gate",)), cameras=allowed).rows == ()
    assert store.alerts.page(Filter(), cameras=frozenset()).rows == ()
    of_hall = sum(store.alerts.open_counts(frozenset({"hall"})).values())
    assert of_hall == sum(one.camera == "hall" for one in many(60))


def paged(store: Store, filter: Filter, limit: int) -> list[AlertRow]:
    """All pages one after the other."""
    rows: list[AlertRow] = []
    after = None
    for _ in itertools.count():
        page = store.alerts.page(filter, after, limit)
        rows += page.rows
        after = page.next
        if after is None:
            return rows
        assert len(page.rows) == limit


def test_cursors_read_what_they_write() -> None:
    cursor = Cursor(3, AT_MS, 17)
    assert Cursor.parse(str(cursor)) == cursor
    for bad in ("", "1.2", "1.2.x", "1.2.3.4", "-1.2.3", "1.2.²", "9" * 400):
        with pytest.raises(CursorError):
            Cursor.parse(bad)


def test_old_alerts_go_with_all_that_hangs_on_them(store: Store) -> None:
    take(store, *(alert_of(n) for n in range(10)))
    assert store.alerts.forget(AT_MS + 4000, AT_MS, limit=3) == 3
    assert store.alerts.forget(AT_MS + 4000, AT_MS, limit=3) == 1
    assert [row.id for row in store.alerts.page(Filter()).rows] == [f"alert-{n}" for n in range(9, 3, -1)]
    assert store.alerts.history("alert-0") == []
    assert [row.id for row in store.alerts.page(Filter(text="person")).rows][-1] == "alert-4"


def test_places_are_of_a_cluster(store: Store) -> None:
    store.take([], "one", {("alerts", 0): 5, ("alerts", 1): 7}, AT_MS)
    store.take([], "one", {("alerts", 0): 6}, AT_MS)
    store.take([], "two", {("alerts", 0): 1}, AT_MS)
    assert store.offsets.of("one") == {("alerts", 0): 6, ("alerts", 1): 7}
    assert store.offsets.of("three") == {}


def test_a_failure_leaves_neither_alerts_nor_places(store: Store) -> None:
    def half() -> None:
        with store.database.write() as connection:
            store.offsets.keep(connection, "one", {("alerts", 0): 5})
            connection.execute(text("SELECT nonsense"))

    with pytest.raises(DatabaseError):
        half()
    assert store.offsets.of("one") == {}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "x" * 201}, "201 characters"),
        ({"rule": "a\0b"}, "zero byte"),
        ({"revision": 2**31}, "out of range"),
        ({"revision": -1}, "out of range"),
        ({"why": "with a \0 byte", "label": "x" * 200}, ""),
    ],
)
def test_what_no_column_holds_is_told_beforehand(store: Store, changes: dict[str, object], why: str) -> None:
    alert = alert_of(1, **changes)
    assert why in unfit(alert)
    if not why:
        assert unfit(alert) == ""
        take(store, alert)
        assert store.alerts.page(Filter()).rows[0].why == "with a \ufffd byte"
        assert store.alerts.body("alert-1") == alert


def test_many_threads_write_and_read(store: Store) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            one = alert_of(thread * 100 + number, camera=f"camera-{thread}-{number % 3}")
            store.take([one], "c", {("alerts", thread): number}, AT_MS)
            assert store.alerts.get(one.id) is not None

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.alerts.page(Filter(), limit=500).rows) == 120
    assert store.offsets.of("c") == {("alerts", thread): 19 for thread in range(6)}


def test_the_audit_is_chained_and_only_grows(store: Store) -> None:
    for number in range(5):
        store.audit.record(at_ms=AT_MS + number, who="anna\0", action="look", subject=f"é{number}", details={"a": [1]})
    assert store.audit.broken() is None
    assert [one.subject for one in store.audit.page(limit=2)] == ["é4", "é3"]
    assert [one.number for one in store.audit.page(before=3)] == [2, 1]
    for statement in ("UPDATE audit SET who = 'x'", "DELETE FROM audit"):
        with pytest.raises(DatabaseError, match="append-only"), store.database.write() as connection:
            connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("UPDATE audit SET subject = 'other' WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("UPDATE audit SET at_ms = 1 WHERE number = 1", 1),
    ],
)
def test_a_changed_audit_says_where(store: Store, statement: str, first: int) -> None:
    for number in range(5):
        store.audit.record(at_ms=AT_MS, who="anna", action="look", subject=str(number))
    with store.database.write() as connection:
        if store.database.is_sqlite:
            connection.execute(text("DROP TRIGGER audit_stays"))
            connection.execute(text("DROP TRIGGER audit_remains"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_stays"))
        connection.execute(text(statement))
    assert store.audit.broken() == first


@pytest.mark.parametrize(("repeatable", "waits"), [(True, False), (False, True)])
def test_only_what_can_be_made_anew_does_not_wait_for_the_disk(store: Store, repeatable: bool, waits: bool) -> None:
    asked, full = ("PRAGMA synchronous", 2) if store.database.is_sqlite else ("SHOW synchronous_commit", "on")
    with store.database.write(repeatable=repeatable) as connection:
        assert (connection.execute(text(asked)).scalar_one() == full) is waits


def test_names_of_the_version_before_become_ids(store: Store) -> None:
    said = Identified(
        decision="identified", person_id="p-1", name="Beatrix", runners_up=(RunnerUp("p-2", "Carl", 0.3),)
    )
    take(store, alert_of(1))
    with store.database.write() as connection:
        body = msgspec.json.encode(alert_of(1, why="Beatrix came", identity=said)).decode()
        values = {"body": body, "why": "Beatrix came", "words": "beatrix came gate"}
        connection.execute(update(alerts).values(values))
        connection.execute(update(revisions).values(why="Beatrix came"))
        links = [{"person": person, "alert": 1} for person in ("p-1", "p-2")]
        connection.execute(alert_people.insert(), links)
        who = {"group": "", "version": 1, "created_at_ms": 1, "created_by": ""}
        connection.execute(people.insert(), [{"id": "p-1", "name": "Beatrix"} | who, {"id": "p-2", "name": ""} | who])
        connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
    store.database.upgrade()
    with store.database.read() as connection:
        (kept,) = connection.execute(select(alerts.c.body, alerts.c.why, alerts.c.words)).all()
        assert not any("Beatrix" in one or "Carl" in one or "beatrix" in one for one in kept)
        assert connection.execute(select(alert_people.c.person)).scalars().all() == ["p-1"]
        assert [one.id for one in store.people.all(connection)] == ["p-1"]
    assert [row.why for row in store.alerts.page(Filter(text="beatrix")).rows] == ["Beatrix came"]
    assert store.alerts.history("alert-1")[0].why == "Beatrix came"


def test_what_somebody_still_reads_leaves_the_log_of_writes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.store.database.WIPE_MS", 50)
    store = Store(f"sqlite:///{tmp_path / 'console.db'}")
    store.database.upgrade()
    with store.database.read() as reader:
        reader.execute(select(alerts.c.number)).all()
        take(store, alert_of(1))
        began_s = time.monotonic()
        store.database.wipe(("alerts",))
        assert time.monotonic() - began_s < BUSY_MS / 1000 / 2, "no other may write meanwhile"
        assert not store.database.wipe_again()
    assert store.database.wipe_again()
    assert (tmp_path / "console.db-wal").stat().st_size == 0
    store.close()
