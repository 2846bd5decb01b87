"""Files are what their sha256 says or are not put in place."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from vedette.errors import SetupError
from vedette.files import Progress, cache_dir, place, sha256_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VEDETTE_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, "/a/b"),  # the own variable wins
        ({"XDG_CACHE_HOME": "/x"}, "/x/vedette"),  # then the desktop's
        ({"XDG_CACHE_HOME": ""}, "/home/ann/.cache/vedette"),  # set but empty is not set
        ({}, "/home/ann/.cache/vedette"),  # then the usual place
    ],
)
def test_cache_dir(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    for name in ("VEDETTE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(expected)


def test_place_puts_the_right_file_where_it_belongs(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"right")
    target = tmp_path / "deep" / "target"
    assert place(source, target, hashlib.sha256(b"right").hexdigest()) == target
    assert target.read_bytes() == b"right"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_place_refuses_another_file_and_leaves_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"wrong")
    target.write_bytes(b"right")
    with pytest.raises(SetupError, match="sha256 " + sha256_of(source)):
        place(source, target, sha256_of(target))
    assert target.read_bytes() == b"right"
    assert {path.name for path in tmp_path.iterdir()} == {"source", "target"}


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    log = io.StringIO()
    progress = Progress("Jars", log)
    for _ in range(25):
        progress.received(1_000_000)
        progress.file_done(25)
    lines = log.getvalue().splitlines()
    assert 3 <= len(lines) <= 4
    assert lines[-1].strip() == "Jars: 25.0 MB, 25 of 25"
    assert "\r" not in log.getvalue()


def test_progress_on_a_terminal_is_one_line() -> None:
    terminal = Terminal()
    progress = Progress("Clip", terminal)
    for _ in range(4):
        progress.received(500_000)
    progress.file_done(1)
    assert terminal.getvalue().count("\n") == 1
    assert "\rClip: 1.0 MB" in terminal.getvalue()
    assert terminal.getvalue().endswith("\rClip: 2.0 MB, 1 of 1   \n")
