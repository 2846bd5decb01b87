"""One collects at a time, whatever machine it is on; what a killed one left is taken over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from archive.collection.lease import BEATS, FOLDER, Held, LeaseError, leased
from archive.evidence.files import Folder
from tests.waiting import wait_until


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def left(files: Folder, beat: int, number: int = 1) -> None:
    """What a holder has written that is not at its end."""
    files.write(f"{FOLDER}/{number:09}.json", msgspec.json.encode(Held(by="other", beat=beat)))


def quick(_: float) -> None:
    """No time."""


def test_the_next_one_begins_at_once_where_the_one_before_has_ended(files: Folder) -> None:
    for _ in range(3):
        with leased(files, "us", lambda _: pytest.fail("there is nothing to wait for")) as still:
            still()
    assert len(files.paths(FOLDER)) == 1


def test_who_finds_one_that_renews_is_refused(files: Folder) -> None:
    with leased(files, "first", quick, beat_s=0.01) as still:
        with pytest.raises(LeaseError, match="first collects"), leased(files, "second", still_alive(files)):
            pytest.fail("two of them")
        still()


def still_alive(files: Folder) -> Callable[[float], None]:
    """Waiting until the lease has been renewed."""
    before = files.read(files.paths(FOLDER)[-1])

    return lambda _: wait_until(lambda: files.read(files.paths(FOLDER)[-1]) != before)


def test_what_a_killed_one_left_is_taken_over_after_so_many_beats(files: Folder) -> None:
    left(files, beat=4)
    waits: list[float] = []
    with leased(files, "us", waits.append) as still:
        still()
    assert len(waits) == BEATS


def test_who_was_away_so_long_that_another_took_over_changes_nothing_more(files: Folder) -> None:
    with leased(files, "us", quick) as still:
        left(files, beat=0, number=2)
        with pytest.raises(LeaseError, match="other collects by now"):
            still()


def test_of_two_that_find_a_dead_one_only_one_takes_over(files: Folder) -> None:
    left(files, beat=4)

    def another(_: float) -> None:
        files.create(f"{FOLDER}/{2:09}.json", msgspec.json.encode(Held(by="quicker")))

    with pytest.raises(LeaseError, match="quicker collects"), leased(files, "us", another):
        pytest.fail("two of them")
