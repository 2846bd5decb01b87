"""Rows on disk once, whatever is repeated or killed; small files merged, old days gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from prometheus_client import CollectorRegistry

from archive.evidence.files import Folder
from archive.history import catalog
from archive.history.keeper import Keeper
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter, to_merge
from archive.history.passages import END_MS
from archive.history.search import Search, Wanted
from bus.consuming import Record
from contracts import topics
from contracts.codec import encode
from contracts.errors import ContractError
from contracts.messages import Message
from contracts.metrics import Metrics
from tests.history_tools import AT_MS, event, event_row, thing, track_row, tracks, window

LATER = END_MS // 1000 + 1
DAY_MS = catalog.DAY_MS


def keeper_on(root: Path, keep_days: float = 30) -> Keeper:
    keeper = Keeper(Mirror(root), Metrics(CollectorRegistry()), keep_days=keep_days)
    keeper.read_from("cluster-a")
    return keeper


def put(keeper: Keeper, topic: str, offset: int, message: Message, now_ms: int = AT_MS) -> None:
    keeper.take(Record(topic, 0, offset, now_ms, None, encode(message)), now_ms)


def ids(root: Path, kind: str) -> list[str]:
    """The ids of all rows that count, in order."""
    names = [str(root / one.name) for one in catalog.read(Mirror(root)).files if one.kind == kind]
    if not names:
        return []
    return [
        row[0]
        for row in duckdb.sql("SELECT id FROM read_parquet($names) ORDER BY id", params={"names": names}).fetchall()
    ]


def test_what_is_not_committed_comes_again_once(tmp_path: Path) -> None:
    keeper = keeper_on(tmp_path)
    put(keeper, topics.TRACKS, 0, tracks(0, thing(1)))
    put(keeper, topics.EVENTS, 0, event(1))
    keeper.commit(AT_MS)
    put(keeper, topics.EVENTS, 1, event(2))
    put(keeper, topics.TRACKS, 1, tracks(LATER))  # killed here
    keeper.close()
    again = keeper_on(tmp_path)
    assert again.places() == {(topics.TRACKS, 0): 1, (topics.EVENTS, 0): 1}
    put(again, topics.EVENTS, 1, event(2))
    put(again, topics.TRACKS, 1, tracks(LATER))
    again.commit(AT_MS)
    assert ids(tmp_path, "events") == ["event-1", "event-2"]
    assert ids(tmp_path, "tracks") == [f"gate.live.1.{AT_MS}"]


def test_files_of_a_killed_writer_do_not_count(tmp_path: Path) -> None:
    keeper = keeper_on(tmp_path)
    put(keeper, topics.EVENTS, 0, event(1))
    keeper.commit(AT_MS)
    kept = tmp_path / catalog.read(Mirror(tmp_path)).files[0].name
    orphan = kept.with_name("orphan.parquet")
    shutil.copy(kept, orphan)
    assert ids(tmp_path, "events") == ["event-1"]
    keeper_on(tmp_path)
    assert not orphan.exists()
    assert kept.exists()


def test_another_cluster_is_read_from_its_beginning(tmp_path: Path) -> None:
    keeper = keeper_on(tmp_path)
    put(keeper, topics.EVENTS, 7, event(1))
    keeper.read_from("cluster-b")
    assert keeper.places() == {}


@pytest.mark.parametrize(
    ("topic", "value"),
    [(topics.EVENTS, b"{}"), (topics.TRACKS, b"\xc1"), (topics.EVENTS, encode(event(1, site="../other")))],
    ids=["no event", "no msgpack", "a site that leads elsewhere"],
)
def test_what_is_no_message_is_refused(tmp_path: Path, topic: str, value: bytes) -> None:
    keeper = keeper_on(tmp_path)
    with pytest.raises(ContractError):
        keeper.take(Record(topic, 0, 3, AT_MS, None, value), AT_MS)
    assert keeper.places() == {}


def test_small_files_become_one_and_go_after_their_grace(tmp_path: Path) -> None:
    keeper = keeper_on(tmp_path)
    for number in range(20):
        put(keeper, topics.EVENTS, number, event(number))
        put(keeper, topics.ANALYTICS, number, window(number))
        keeper.commit(AT_MS + number)
    assert ids(tmp_path, "events") == sorted(f"event-{number}" for number in range(20))
    assert len(ids(tmp_path, "windows")) == 20
    assert len(catalog.read(Mirror(tmp_path)).files) < 20
    put(keeper, topics.EVENTS, 20, event(20))
    keeper.commit(AT_MS + catalog.GRACE_MS + 100)
    on_disk = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("rows/**/*.parquet")}
    counted = {one.name for one in catalog.read(Mirror(tmp_path)).files}
    assert on_disk == counted


def test_days_go_when_their_time_is_over(tmp_path: Path) -> None:
    keeper = keeper_on(tmp_path, keep_days=3)
    for day in range(6):
        put(keeper, topics.EVENTS, day, event(day, at_ms=AT_MS + day * DAY_MS))
    keeper.commit(AT_MS + 6 * DAY_MS)
    assert ids(tmp_path, "events") == ["event-2", "event-3", "event-4", "event-5"]


def test_rows_lie_by_site_kind_and_day(tmp_path: Path) -> None:
    entries = ParquetWriter(Mirror(tmp_path)).write([track_row(1), event_row(1), event_row(2, at_ms=AT_MS - 1)])
    folders = {one.name.rpartition("/")[0] for one in entries}
    assert folders == {
        "rows/site=home/kind=tracks/day=2026-01-05",
        "rows/site=home/kind=events/day=2026-01-05",
        "rows/site=home/kind=events/day=2026-01-04",
    }


def test_what_is_merged(tmp_path: Path) -> None:
    writer = ParquetWriter(Mirror(tmp_path))
    entries = [entry for number in range(8) for entry in writer.write([event_row(number)])]
    large = writer.write([event_row(number) for number in range(300)])
    assert to_merge([*entries[:7], *large], "2026-01-05") == []
    assert to_merge([*entries, *large], "2026-01-05") == [entries]
    assert to_merge([*entries[:2], *large], "2026-01-06") == [entries[:2]]
    merged = writer.merge(entries)
    assert (merged.rows, merged.first_ms, merged.last_ms) == (8, AT_MS, AT_MS + 7000)


def test_with_a_bucket_the_local_folder_may_be_lost(tmp_path: Path) -> None:
    bucket = Folder(tmp_path / "bucket")
    keeper = Keeper(Mirror(tmp_path / "one", bucket), Metrics(CollectorRegistry()), keep_days=30)
    for number in range(10):
        put(keeper, topics.EVENTS, number, event(number))
        keeper.commit(AT_MS + number)
    elsewhere = Search(Mirror(tmp_path / "two", bucket))
    assert len(elsewhere.events(Wanted(), None, 20)) == 10
    shutil.rmtree(tmp_path / "one")
    again = Keeper(Mirror(tmp_path / "three", bucket), Metrics(CollectorRegistry()), keep_days=30)
    assert again.places() == {(topics.EVENTS, 0): 10}
    put(again, topics.EVENTS, 10, event(10))
    again.commit(AT_MS + catalog.GRACE_MS + 100)
    assert set(bucket.paths("rows")) == {one.name for one in catalog.read(Mirror(tmp_path, bucket)).files}
