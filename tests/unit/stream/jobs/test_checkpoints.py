"""Which checkpoint a start goes on from."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from stream.jobs.checkpoints import newest_checkpoint


def checkpoint(state: Path, job: str, number: int, content: str) -> Path:
    folder = state / "checkpoints" / job / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / "_metadata").write_text(content)
    os.utime(folder / "_metadata", (number, number))
    return folder


def fault(folder: Path) -> str | None:
    return None if (folder / "_metadata").read_text() == "whole" else "half of it"


def test_the_newest_of_all_jobs(tmp_path: Path) -> None:
    checkpoint(tmp_path, "a", 9, "whole")
    newest = checkpoint(tmp_path, "b", 10, "whole")
    (tmp_path / "checkpoints" / "b" / "chk-11").mkdir()  # was never completed
    assert newest_checkpoint(tmp_path, fault) == newest


def test_a_torn_one_is_set_aside_and_the_one_before_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    older = checkpoint(tmp_path, "a", 9, "whole")
    torn = checkpoint(tmp_path, "a", 10, "who")
    with caplog.at_level(logging.ERROR):
        assert newest_checkpoint(tmp_path, fault) == older
    assert "chk-10 is torn (half of it)" in caplog.text
    assert not torn.exists()
    assert (torn.parent / "torn-chk-10" / "_metadata").exists()
    # The next torn one takes its place: they don't pile up.
    checkpoint(tmp_path, "b", 12, "")
    assert newest_checkpoint(tmp_path, fault) == older
    assert [folder.name for folder in tmp_path.rglob("torn-*")] == ["torn-chk-12"]


def test_without_a_whole_one_the_jobs_start_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert newest_checkpoint(tmp_path, fault) is None
    assert not caplog.records
    checkpoint(tmp_path, "a", 1, "")
    assert newest_checkpoint(tmp_path, fault) is None
    assert "start without state" in caplog.text
