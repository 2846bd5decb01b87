"""One collects at a time, whatever machine it is on; what a killed one left is taken over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from archive.collection.lease import BEATS, Held, LeaseError, leased
from archive.evidence.files import Folder
from tests.waiting import wait_until


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def left(files: Folder, beat: int, number: int = 1) -> None:
    """What a holder has written that is not at its end."""
    files.write(f"collecting/{number:09}.json", msgspec.json.encode(Held(by="other", beat=beat)))


def quick(_: float) -> None:
    """No time."""


def test_the_next_one_begins_at_once_where_the_one_before_has_ended(files: Folder) -> None:
    for _ in range(3):
        with leased(files, "us", lambda _: pytest.fail("there is nothing to wait for")) as still:
            still()
    assert len(files.paths("collecting")) == 1


def test_who_finds_one_that_renews_is_refused(files: Folder) -> None:
    with leased(files, "first", quick, beat_s=0.01) as still:
        with pytest.raises(LeaseError, match="first is collecting"), leased(files, "second", still_alive(files)):
            pytest.fail("two of them")
        still()


def still_alive(files: Folder) -> Callable[[float], None]:
    """Waiting until the lease has been renewed."""
    before = files.read(files.paths("collecting")[-1])

    return lambda _: wait_until(lambda: files.read(files.paths("collecting")[-1]) != before)


def test_what_a_killed_one_left_is_taken_over_after_so_many_beats(files: Folder) -> None:
    left(files, beat=4)
    waits: list[float] = []
    with leased(files, "us", waits.append) as still:
        still()
    assert len(waits) == BEATS


def test_a_lease_that_cannot_be_read_is_taken_over_too(files: Folder) -> None:
    files.write("collecting/000000001.json", b"{")
    waits: list[float] = []
    with leased(files, "us", waits.append) as still:
        still()
    assert len(waits) == BEATS


def test_who_was_away_so_long_that_another_took_over_changes_nothing_more(files: Folder) -> None:
    with leased(files, "us", quick) as still:
        left(files, beat=0, number=2)
        with pytest.raises(LeaseError, match="other is collecting by now"):
            still()


def test_of_two_that_find_a_dead_one_only_one_takes_over(files: Folder) -> None:
    left(files, beat=4)

    def another(_: float) -> None:
        files.create("collecting/000000002.json", msgspec.json.encode(Held(by="quicker")))

    with pytest.raises(LeaseError, match="quicker is collecting"), leased(files, "us", another):
        pytest.fail("two of them")


class Failing(Folder):
    """A bucket that takes nothing more."""

    def write(self, path: str, data: bytes) -> None:
        raise OSError("no answer")


def test_what_went_wrong_is_said_and_not_that_the_lease_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="what really happened"), leased(Failing(tmp_path), "us", quick):
        raise ValueError("what really happened")
    assert "can't be given back: the next one waits until it counts as dead: no answer" in caplog.text
    with leased(Failing(tmp_path), "us", quick) as still:
        still()


def test_who_learns_keeps_nobody_from_collecting(files: Folder) -> None:
    with leased(files, "one", quick, work="learning") as still, leased(files, "another", quick):
        still()
    assert {path.partition("/")[0] for path in files.paths("")} == {"learning", "collecting"}
