"""Rows found again by each thing that can be asked for, page by page, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from archive.history import catalog, figures
from archive.history.export import Export
from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from archive.history.search import Place, PlaceError, Search, Wanted, visible
from tests.history_tools import AT_MS, event_row, track_row, window_row

PLAIN: dict[str, Any] = {"zones": (), "entered_ms": (), "dwell_ms": (), "crossed": (), "upper": "", "lower": ""}


def kept(root: Path, *rows: Any) -> Search:
    files = ParquetWriter(Mirror(root)).write(rows)
    catalog.commit(Mirror(root), catalog.Catalogue(files=files), GatherState())
    return Search(Mirror(root))


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    """Four tracks and three events."""
    made = kept(
        tmp_path,
        track_row(1, **(PLAIN | {"label": "person", "upper": "red", "zones": ("yard", "door"), "rules": ("entry",)})),
        track_row(2, **(PLAIN | {"label": "person", "lower": "red", "person": "p-1", "attributes": ("hard_hat:no",)})),
        track_row(3, **(PLAIN | {"label": "car", "upper": "white", "camera": "hall"})),
        track_row(4, **(PLAIN | {"label": "car", "first_ms": AT_MS + 90_000_000})),
        event_row(1, rule="entry", label="person"),
        event_row(2, zone="door", camera="hall", suppressed_by="answer-1", attributes=("vest:yes",)),
        event_row(3, opened_by="event-1", ended=True),
        event_row(5, kind="line_crossing", ended=True),
    )
    yield made
    made.close()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), [4, 3, 2, 1]),
        (Wanted(cameras=("hall",)), [3]),
        (Wanted(cameras=()), []),  # somebody who may see none
        (Wanted(labels=("person",)), [2, 1]),
        (Wanted(colours=("red",)), [2, 1]),  # of either half
        (Wanted(colours=("red", "white"), labels=("car",)), [3]),
        (Wanted(zones=("door", "other")), [1]),
        (Wanted(rules=("entry",)), [1]),
        (Wanted(persons=("p-1",)), [2]),
        (Wanted(attributes=("hard_hat:no", "vest:yes")), [2]),
        (Wanted(until_ms=AT_MS + 2000), [1]),
        (Wanted(since_ms=AT_MS + 22_000), [4, 3, 2]),  # track 2 was there until then
        (Wanted(since_ms=AT_MS + 22_001, until_ms=AT_MS + 30_000), [3]),
    ],
)
def test_tracks_by_what_is_wanted(search: Search, wanted: Wanted, numbers: list[int]) -> None:
    assert [row.track_id for row in search.tracks(wanted, None, 10)] == numbers


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), ["event-5", "event-2", "event-1"]),  # what ended event-1 is no event of its own
        (Wanted(rules=("entry",)), ["event-1"]),
        (Wanted(zones=("door",), cameras=("hall",)), ["event-2"]),
        (Wanted(since_ms=AT_MS + 2000), ["event-5", "event-2"]),
        (Wanted(attributes=("vest:yes",)), ["event-2"]),
        (Wanted(silenced=True), ["event-2"]),
        (Wanted(silenced=False), ["event-5", "event-1"]),
    ],
)
def test_events_by_what_is_wanted(search: Search, wanted: Wanted, ids: list[str]) -> None:
    assert [row.id for row in search.events(wanted, None, 10)] == ids


def test_files_from_before_a_column_was_there_are_found_too(tmp_path: Path) -> None:
    search = kept(tmp_path, track_row(1), event_row(1))
    for entry in catalog.read(Mirror(tmp_path)).files:
        path = str(tmp_path / entry.name)
        new = "attributes, suppressed_by" if entry.kind == "events" else "attributes"
        with duckdb.connect() as database:
            database.execute(f"CREATE TABLE old AS SELECT * EXCLUDE ({new}) FROM '{path}'")
            database.execute(f"COPY old TO '{path}'")
    assert [row.attributes for row in search.tracks(Wanted(), None, 10)] == [()]
    assert [row.suppressed_by for row in search.events(Wanted(silenced=False), None, 10)] == [""]
    assert search.tracks(Wanted(attributes=("hard_hat:no",)), None, 10) == []


def test_pages_follow_each_other_also_where_times_are_the_same(tmp_path: Path) -> None:
    search = kept(tmp_path, *(track_row(n, first_ms=AT_MS + n // 4) for n in range(20)))
    seen: list[str] = []
    after = None
    while rows := search.tracks(Wanted(), after, 3):
        seen += [row.id for row in rows]
        after = Place.parse(str(Place(rows[-1].first_ms, rows[-1].id)))
    assert len(seen) == len(set(seen)) == 20


@pytest.mark.parametrize("text", ["", "x", "12", "x~a", "-1~a", "9999999999999999~a"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(PlaceError):
        Place.parse(text)


def test_a_track_in_full_has_its_path(search: Search) -> None:
    row = search.tracks(Wanted(), None, 1)[0]
    assert row.path_x == ()
    full = search.track(row.id)
    assert full is not None
    assert len(full.path_x) == 20
    assert search.track("gate.live.1.77") is None
    assert search.track("' OR true --") is None


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    search = Search(Mirror(tmp_path / "none"))
    assert search.tracks(Wanted(), None, 10) == []
    assert figures.stays(search, Wanted(), AT_MS, 60_000) == []
    assert b"".join(Export(search).history("tracks", Wanted(), "csv", 10)).startswith(b"id,site,camera")


def test_values_are_never_sql(search: Search) -> None:
    assert search.tracks(Wanted(cameras=("' OR true --",), zones=("$files",)), None, 10) == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_holds_what_is_wanted_and_no_formulas(tmp_path: Path, form: Any) -> None:
    rows = [track_row(n, label="=1+1" if n else "person", zones=("@yard",)) for n in range(5)]
    search = kept(tmp_path, *rows)
    (tmp_path / "out").write_bytes(b"".join(Export(search).history("tracks", Wanted(), form, 3)))
    found = duckdb.execute(f"SELECT track_id, label FROM read_{form}(?)", [str(tmp_path / "out")]).fetchall()
    marked = "'=1+1" if form == "csv" else "=1+1"
    assert found == [(0, "person"), (1, marked), (2, marked)]
    assert list((tmp_path / ".exports").iterdir()) == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_from_elsewhere_are_exported_too(tmp_path: Path, form: Any) -> None:
    rows = (event_row(n, label="-x", score=0.5) for n in range(3))
    types = {"id": "VARCHAR", "label": "VARCHAR", "score": "DOUBLE"}
    (tmp_path / "out").write_bytes(b"".join(Export(Search(Mirror(tmp_path))).rows(rows, types, form)))
    found = duckdb.execute(f"SELECT * FROM read_{form}(?)", [str(tmp_path / "out")]).fetchall()
    assert found == [(f"event-{n}", "'-x" if form == "csv" else "-x", 0.5) for n in range(3)]


@pytest.mark.parametrize(
    ("asked", "allowed", "seen"),
    [
        ((), None, None),
        (("gate",), None, ("gate",)),
        ((), ("gate",), ("gate",)),
        (("hall", "gate"), ("gate",), ("gate",)),
        (("hall",), ("gate",), ()),
        ((), (), ()),
    ],
)
def test_nobody_sees_more_than_they_may(asked: Any, allowed: Any, seen: Any) -> None:
    assert visible(asked, allowed) == seen


def test_occupancy_adds_up_parts_and_lanes(tmp_path: Path) -> None:
    search = kept(
        tmp_path,
        window_row(0),
        window_row(0, id="b", label="car", occupancy_ms=60_000, occupancy_max=1),
        window_row(1, occupancy_ms=0, occupancy_max=0, entered=0, departed=0, dwell_ms=0),
        window_row(0, id="c", camera="hall", observed_ms=30_000, occupancy_ms=30_000, departed=0, dwell_ms=0),
    )
    first, second = figures.stays(search, Wanted(), AT_MS, 60_000)
    assert first == figures.Stay(AT_MS, "yard", 2.5, 5, 9, 4, 10.0)
    assert second == figures.Stay(AT_MS + 60_000, "yard", 0.0, 0, 0, 0, 0.0)


def test_flows_and_crossings(tmp_path: Path) -> None:
    ways = [("yard", "door"), ("yard", "door", "yard"), ("yard", "yard"), ("yard",), ()]
    search = kept(tmp_path, *(track_row(n, zones=way, crossed=("a:b:in",) * (n % 2 + 1)) for n, way in enumerate(ways)))
    assert figures.flows(search, Wanted()) == [("yard", "door", 2), ("door", "yard", 1)]
    assert figures.crossings(search, Wanted()) == [("a:b", "in", 7)]


def test_heat_is_where_time_was_spent(tmp_path: Path) -> None:
    search = kept(
        tmp_path,
        track_row(1, path_ms=(0, 1000, 4000), path_x=(0, 9999, 10_000), path_y=(0, 0, 10_000)),
        track_row(2, path_ms=(0, 600_000), path_x=(0, 0), path_y=(9999, 0)),  # unseen in between
    )
    assert figures.heat(search, Wanted(), 4, 2).tolist() == [[1, 0, 0, 3], [10, 0, 0, 0]]
