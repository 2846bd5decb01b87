"""How fast the queue answers with a million alerts: random filters, page by page, SQLite and PostgreSQL."""

from __future__ import annotations

import argparse
import functools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import insert, text
from sqlalchemy.schema import CreateIndex, DropIndex

from console.store.rows import JUDGED, SEVERITIES, STATUSES, Filter
from console.store.store import Store
from console.store.tables import alert_people, alerts
from console.store.words import indexed
from tests.bench.report import Row, at_most, load, missing, table
from tests.console_tools import AT_MS, alert_of
from tests.postgres import MISSING, binaries, postgres

ALERTS = 1_000_000
FILTERS = 400
PAGES = 3
LIMIT = 50
STEP_MS = 30_000
"""A million alerts of a year: one in half a minute."""

CAMERAS = tuple(f"camera-{number:02}" for number in range(40))
ZONES = ("", *(f"zone-{number}" for number in range(12)))
RULES = tuple(f"rule-{number}" for number in range(20))
KINDS = ("zone_entry", "loitering", "line_crossing", "crowd", "running", "absence", "left_object", "tamper")
LABELS = ("person", "car", "bicycle", "bag", "dog", "")
SENTENCES = (
    "A person came into {zone}",
    "A {label} has been in {zone} for {n} s",
    "{n} people are in {zone}",
    "The camera shows nothing since {n} s",
    "Somebody left a bag near {zone}",
)
NAMES = ("camera", "zone", "rule", "kind", "label")
PEOPLE = tuple(f"person-{number:02}" for number in range(40))
ABOUT_SOMEBODY = 20
"""One alert in so many is about somebody who is enrolled."""


def skewed(chance: random.Random, values: tuple[str, ...]) -> str:
    """The first values are frequent, the last ones rare: about 1/k."""
    return values[min(int(len(values) ** chance.random()) - 1, len(values) - 1)]


def rows(store: Store, count: int) -> Iterator[dict[str, object]]:
    """Rows as the store writes them, with a whole alert each."""
    chance = random.Random(1)
    numbers = store.alerts._names.ensure((*CAMERAS, *ZONES, *RULES, *KINDS, *LABELS))
    whole = alert_of(0, instructions="Look at the picture; call the guard on 4711.", trail=((320.5, 240.5),) * 20)
    before, _, after = msgspec.json.encode(whole).decode().partition("alert-0")
    said = functools.lru_cache(100_000)(lambda why: indexed([why], {}))
    named_words = functools.lru_cache(100_000)(lambda names, codes: indexed(names, dict(codes)))
    for number in range(count):
        rule = skewed(chance, RULES)
        named = {
            "camera": skewed(chance, CAMERAS),
            "zone": skewed(chance, ZONES),
            "rule": rule,
            "kind": KINDS[RULES.index(rule) % len(KINDS)],
            "label": skewed(chance, LABELS),
        }
        codes = {name: numbers[value] for name, value in named.items()}
        why = skewed(chance, SENTENCES).format(zone=named["zone"], label=named["label"], n=chance.randrange(600))
        status = chance.choices(range(4), (0.4, 0.6, 98, 1))[0]
        started = AT_MS + number * STEP_MS + chance.randrange(STEP_MS)
        yield {
            **codes,
            "number": number + 1,
            "id": f"{number:08x}-0000-5000-8000-000000000000",
            "revision": 1,
            "state": "end",
            "site": "home",
            "severity": chance.choices(range(5), (30, 40, 20, 9, 1))[0],
            "status": status,
            "verdict": chance.choices(range(1, 4), (20, 50, 30))[0] if status == STATUSES.index("answered") else 0,
            "started_at_ms": started,
            "at_ms": started + 4000,
            "ended_at_ms": started + 4000,
            "received_at_ms": started + 100,
            "acknowledged_at_ms": started + 60_000 if status else 0,
            "acknowledged_by": "anna" if status else "",
            "escalated_at_ms": 0,
            "assigned_to": "",
            "why": why,
            "score": 0.5,
            "late": False,
            "picture": True,
            "words": f"{said(why)} {named_words(tuple(named.values()), tuple(codes.items()))}",
            "body": f"{before}{number}{after}",
        }


def about(count: int) -> list[dict[str, object]]:
    """Whom alerts are about."""
    chance = random.Random(3)
    return [{"person": skewed(chance, PEOPLE), "alert": number} for number in range(1, count + 1, ABOUT_SOMEBODY)]


def fill(store: Store, count: int) -> None:
    """Put rows in, indexes last: what is measured is the same, and it takes minutes instead of an hour."""
    with store.database.write() as connection:
        for index in alerts.indexes:
            connection.execute(DropIndex(index))
    (_fill_sqlite if store.database.is_sqlite else _fill_postgresql)(store, count)
    with store.database.write() as connection:
        for index in alerts.indexes:
            connection.execute(CreateIndex(index))
        connection.execute(insert(alert_people), about(count))
    if not store.database.is_sqlite:
        with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE alerts, alerts_words, alert_people"))
    store.alerts.count_dimensions()


def _fill_sqlite(store: Store, count: int) -> None:
    batch: list[dict[str, object]] = []
    for row in rows(store, count):
        batch.append(row)
        if len(batch) == 20_000:
            with store.database.write() as connection:
                connection.execute(insert(alerts), batch)
            batch = []
    with store.database.write() as connection:
        if batch:
            connection.execute(insert(alerts), batch)


def _fill_postgresql(store: Store, count: int) -> None:
    names = [column.name for column in alerts.c]
    with store.database.write() as connection:
        defined = connection.scalar(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'alerts_words_found'"))
        connection.execute(text("DROP INDEX alerts_words_found"))
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor, cursor.copy(f"COPY alerts ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows(store, count):
                copy.write_row([row[name] for name in names])
        connection.execute(text(defined))


def filters(count: int) -> Iterator[Filter]:
    """What operators ask for, from nothing to five things at once, with rare and with frequent values."""
    chance = random.Random(2)
    year_ms = ALERTS * STEP_MS

    def some(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(chance.sample(values, min(len(values), chance.choice((1, 1, 2, 5)))))

    parts: dict[str, Callable[[], dict[str, object]]] = {
        "cameras": lambda: {"cameras": some(CAMERAS)},
        "zones": lambda: {"zones": some(ZONES)},
        "rules": lambda: {"rules": some(RULES)},
        "kinds": lambda: {"kinds": some(KINDS)},
        "labels": lambda: {"labels": some(LABELS)},
        "persons": lambda: {"persons": some(PEOPLE)},
        "severities": lambda: {"severities": some(SEVERITIES)},
        "statuses": lambda: {"statuses": some(STATUSES)},
        "verdicts": lambda: {"verdicts": some(JUDGED)},
        "time": lambda: {
            "since_ms": (at := AT_MS + chance.randrange(year_ms)),
            "until_ms": at + chance.choice((1, 24, 720)) * 3_600_000,
        },
        "text": lambda: {
            "text": chance.choice(
                ("person", "bag", "599 people", "zone-7", "camera-31 shows", "nothing 17", "bicycle zone")
            )
        },
    }
    for number in range(count):
        chosen = chance.sample(sorted(parts), number % 6)
        yield Filter(**{key: value for name in chosen for key, value in parts[name]().items()})


def measure(store: Store, say: Callable[[str], None]) -> tuple[list[float], list[tuple[float, Filter]]]:
    """Milliseconds of each page, and the slowest with their filters."""
    for filter in (Filter(), Filter(statuses=("open",))):
        store.alerts.page(filter)
    taken: list[tuple[float, Filter]] = []
    found, cpu = 0, []
    for filter in filters(FILTERS):
        after = None
        for _ in range(PAGES):
            began, began_cpu = time.perf_counter(), time.thread_time()
            page = store.alerts.page(filter, after, LIMIT)
            taken.append(((time.perf_counter() - began) * 1000, filter))
            cpu.append((time.thread_time() - began_cpu) * 1000)
            found += len(page.rows)
            after = page.next
            if after is None:
                break
    of_cpu = sorted(cpu)[len(cpu) * 95 // 100]
    say(f"  {len(taken)} pages, {found} alerts on them; CPU of this process p95 {of_cpu:.1f} ms; {load()}")
    return sorted(ms for ms, _ in taken), sorted(taken, key=lambda one: -one[0])[:5]


def queue(store: Store, name: str, count: int, say: Callable[[str], None]) -> Row:
    """Fill, measure, and say it."""
    began = time.monotonic()
    store.open()
    fill(store, count)
    say(f"  {name}: filled in {time.monotonic() - began:.0f} s")
    taken, slowest = measure(store, say)
    p95 = taken[len(taken) * 95 // 100]
    say(f"  {name}: p50 {statistics.median(taken):.1f}, p95 {p95:.1f}, longest {taken[-1]:.0f} ms")
    for ms, filter in slowest:
        asked = {name: value for name, value in msgspec.structs.asdict(filter).items() if value}
        say(f"    {ms:.0f} ms: {json.dumps(asked)}")
    store.close()
    return at_most("console", f"page of {LIMIT} out of {count:,} alerts, any filter, p95, {name}", p95, 150.0, " ms")


DATABASES = ("SQLite", "PostgreSQL")


def bench(count: int, databases: Sequence[str], say: Callable[[str], None]) -> list[Row]:
    """Both databases; PostgreSQL only where there is a server."""
    made = []
    if "SQLite" in databases:
        with tempfile.TemporaryDirectory(prefix="vedette-queue-") as folder:
            made.append(queue(Store(f"sqlite:///{Path(folder)}/console.db"), "SQLite", count, say))
    if "PostgreSQL" not in databases:
        return made
    if binaries() is None:
        return [*made, missing("console", "queue on PostgreSQL", MISSING)]
    with postgres() as url:
        made.append(queue(Store(url), "PostgreSQL", count, say))
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=ALERTS)
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    given = parser.parse_args()
    print(table(bench(given.alerts, given.databases, lambda line: print(line, flush=True))))
