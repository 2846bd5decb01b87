"""Which of the kept states a cluster without high availability goes on from."""

from __future__ import annotations

import logging

import pytest

from stream.jobs.going_on import Kept, newest

OLD, NEW = Kept("s3://v/checkpoints/a/chk-9", 1_000), Kept("s3://v/checkpoints/b/chk-2", 3_000)
SAVED = Kept("s3://v/savepoints/savepoint-1", 2_000, savepoint=True)


def whole(_uri: str) -> str | None:
    return None


@pytest.mark.parametrize(
    ("kept", "taken"),
    [
        ([], None),  # the first start
        ([OLD, NEW], NEW),  # of another start, by its time and not by its number
        ([OLD, SAVED], SAVED),  # an upgrade
        ([SAVED, NEW], NEW),  # a start of the container after the upgrade: not back to the savepoint
    ],
)
def test_what_was_completed_last_is_taken(kept: list[Kept], taken: Kept | None) -> None:
    assert newest(kept, whole) == taken


def test_what_can_t_be_read_is_said_and_the_one_before_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert newest([OLD, NEW], {NEW.uri: "half of it"}.get) == OLD
    assert "chk-2 can't be read (half of it)" in caplog.text
    assert newest([NEW], {NEW.uri: "half of it"}.get) is None
