"""The queue's filter: in the address, for the store, and for what comes live."""

import pytest

from console.pages.filters import Narrowed, from_address
from console.store.find import lets_through
from console.store.store import Store
from contracts.fields import Severity
from tests.console_tools import AT_MS, alert_of, take


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'console.db'}")
    store.open()
    yield store
    store.close()


@pytest.mark.parametrize(
    ("query", "narrowed"),
    [
        ([], Narrowed()),
        ([("cameras", "gate"), ("cameras", "hall")], Narrowed(cameras=("gate", "hall"))),
        ([("severities", "high"), ("severities", "worst")], Narrowed(severities=("high",))),
        ([("status", "answered"), ("last", "8h"), ("text", "a")], Narrowed(status="answered", last="8h", text="a")),
        # what makes no sense is left out
        ([("status", "lost"), ("last", "9h"), ("since_ms", "-5"), ("until_ms", "x"), ("alert", "1")], Narrowed()),
        ([("since_ms", "1767571200000"), ("until_ms", "1767571300000")],
         Narrowed(since_ms=1_767_571_200_000, until_ms=1_767_571_300_000)),
    ],
)  # fmt: skip
def test_address(query, narrowed):
    assert from_address(query) == narrowed


def test_a_relative_time_is_counted_from_now():
    wanted = Narrowed(last="1h", since_ms=5, until_ms=6).filter(AT_MS)
    assert (wanted.since_ms, wanted.until_ms) == (AT_MS - 3_600_000, 0)
    assert Narrowed().filter(AT_MS).statuses == ("open", "acknowledged")
    assert Narrowed(status="all").filter(AT_MS).statuses == ()


SEVERITIES: tuple[Severity, ...] = ("low", "high")


@pytest.mark.parametrize(
    "narrowed",
    [
        Narrowed(),
        Narrowed(cameras=("gate",)),
        Narrowed(zones=("yard", "street")),
        Narrowed(labels=("car",)),
        Narrowed(severities=("low",)),
        Narrowed(rules=("intruder",), cameras=("hall",)),
        Narrowed(text="yar"),
        Narrowed(text="PERSON gate"),
        Narrowed(text="éntered"),
        Narrowed(since_ms=AT_MS + 3000),
        Narrowed(until_ms=AT_MS + 3000),
        Narrowed(status="answered"),
        Narrowed(status="all", text="nothing"),
    ],
)
def test_live_and_kept_agree(store, narrowed):
    take(
        store,
        *(
            alert_of(
                number,
                camera=("gate", "hall")[number % 2],
                severity=SEVERITIES[number % 3 > 0],
                label=("person", "car")[number % 4 == 0],
                zone=("yard", "street")[number % 5 == 0],
                why=("A person entered the yard", "Somebody stays")[number % 3 == 0],
            )
            for number in range(12)
        ),
    )
    wanted = narrowed.filter(AT_MS)
    every = store.alerts.page(Narrowed(status="all").filter(AT_MS)).rows
    assert [row.id for row in store.alerts.page(wanted).rows] == [row.id for row in every if lets_through(wanted, row)]
