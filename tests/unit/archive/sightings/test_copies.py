"""Sightings by way of a bucket: what is kept in one folder is found in another, and what is gone goes there too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive.evidence.files import Folder
from archive.sightings import Query, Search
from archive.sightings.copies import Copies
from archive.sightings.folder import SightingsFolder
from tests.sighting_tools import DAY, MODEL, T0_MS, day_keys, directions, sighting
from vault import DayKeys


class Two:
    """Who keeps and who searches, a bucket between them."""

    def __init__(self, folder: Path) -> None:
        self.keys: DayKeys = day_keys()
        self.bucket = Folder(folder / "bucket")
        self.kept = SightingsFolder(folder / "keeper", self.keys)
        self._puts = Copies(self.bucket, folder / "keeper")
        self._fetches = Copies(self.bucket, folder / "console")
        self._search = Search(folder / "console", self.keys)

    def found(self) -> set[str]:
        self._puts._due_s = self._fetches._due_s = 0.0
        self._puts.put()
        self._fetches.fetch()
        self._search.refresh()
        return {one.sighting.track for one in self._search.find(Query(PERSON, MODEL, None, least=0.0))}


PERSON = directions(1, np.random.default_rng(1))[0]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def seen(two: Two, *numbers: int) -> set[str]:
    some = [sighting(number, PERSON, two.keys, T0_MS + number, person_id=f"p-{number}") for number in numbers]
    two.kept.add(some)
    return {one.track for one in some}


def test_what_grows_is_fetched_and_segments_too(two: Two) -> None:
    first = seen(two, 1, 2)
    assert two.found() == first
    second = seen(two, 3)
    assert two.found() == first | second
    two.kept.tidy(T0_MS + 2 * 3_600_000 + 10**12, 10**6)  # the tail becomes a segment
    assert two.found() == first | second
    assert [path for path in two.bucket.paths("sightings") if path.endswith(".tail")] == []


def test_what_is_gone_is_gone_there_and_where_it_is_searched(two: Two, tmp_path: Path) -> None:
    one, other = seen(two, 1), seen(two, 2)
    assert two.found() == one | other
    two.kept.forget(lambda one: one.person_id == "p-1")
    assert two.found() == other
    two.kept.drop(DAY)
    assert two.found() == set()
    assert two.bucket.paths("sightings") == []
    assert [path for path in (tmp_path / "console").rglob("*") if path.is_file()] == []


def test_a_bucket_that_is_away_stops_nobody(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seen(two, 1)
    assert two.found() == first

    def away(*_: object) -> list[str]:
        raise OSError("no route")

    with monkeypatch.context() as broken:
        broken.setattr(two.bucket, "paths", away)
        assert two.found() == first
    second = seen(two, 2)
    assert two.found() == first | second


def test_evidence_takes_no_day_of_sightings_for_its_own(two: Two) -> None:
    seen(two, 1)
    two.found()
    (folder,) = two.bucket.folders("sightings")
    assert folder.startswith("seen-")
