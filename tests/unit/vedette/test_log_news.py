"""What one logger of a part says reaches the terminal; nothing else of the log does."""

from __future__ import annotations

import os
from pathlib import Path

from vedette.log_news import LogNews

HEAD = "2026-11-21 12:00:00,123"


def test_warnings_and_errors_of_the_supervisor_since_the_start(tmp_path: Path) -> None:
    log = tmp_path / "jobs.log"
    log.write_text(f"{HEAD} WARNING vedette.jobs of an earlier run\n")
    news = LogNews(log, "vedette.jobs")
    with log.open("a") as file:
        file.write(f"{HEAD} INFO vedette.jobs jobs detect submitted\n{HEAD} WARNING py4j noise\n")
        file.write(f"{HEAD} WARNING vedette.jobs the jobs run\n{HEAD} ERROR vedette.jobs given ")
        file.flush()
        assert list(news.new()) == ["the jobs run"]
        file.write("up after 10 restarts\n")
    assert list(news.new()) == ["given up after 10 restarts"]
    assert list(news.new()) == []


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "jobs.log"
    news = LogNews(log, "vedette.jobs")
    assert list(news.new()) == []
    log.write_text("x" * 500)
    assert list(news.new()) == []
    os.truncate(log, 0)
    assert list(news.new()) == []
    log.write_text(f"{HEAD} WARNING vedette.jobs the jobs run\n")
    assert list(news.new()) == ["the jobs run"]
