"""The audit of packages says what it found, and plainly where it could not look."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vedette import audit as module
from vedette.audit import AGAIN_S, LIST, audit, main, why_unreachable

NOW_S = 1_767_571_200.0


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    (tmp_path / "constraints.txt").write_text("numpy==2.1.3\n")
    return tmp_path / "constraints.txt"


def answering(code: int, asked: list[int]) -> Callable[[], int]:
    """pip-audit, as far as its end goes."""

    def run() -> int:
        asked.append(code)
        return code

    return run


def test_what_was_well_is_looked_up_once_a_day_and_with_every_change(pins: Path) -> None:
    stamp, asked = pins.with_name("stamp"), list[int]()

    def look(after_s: float) -> int | None:
        return audit(pins, stamp, lambda: "", answering(0, asked), NOW_S + after_s)

    assert look(0) == 0
    os.utime(stamp, (NOW_S, NOW_S))
    assert (look(1), len(asked)) == (0, 1)
    assert (look(AGAIN_S + 1), len(asked)) == (0, 2)
    os.utime(stamp, (NOW_S, NOW_S))
    pins.write_text("numpy==2.1.2\n")
    assert (look(2), len(asked)) == (0, 3)


def test_a_known_fault_is_one_each_time(pins: Path) -> None:
    stamp, asked = pins.with_name("stamp"), list[int]()
    assert [audit(pins, stamp, lambda: "", answering(1, asked), NOW_S) for _ in range(2)] == [1, 1]
    assert not stamp.exists()


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--needed",), 1)])
def test_where_nobody_could_look_that_is_said(
    pins: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: int
) -> None:
    monkeypatch.setattr(module, "why_unreachable", lambda url: "no route to host")
    monkeypatch.setattr(module, "_pip_audit", lambda pins: pytest.fail("it was asked all the same"))
    assert main([str(pins), f"--stamp={pins.with_name('stamp')}", *more]) == code
    assert f"audit: NOT DONE, the pinned packages were not looked up: {LIST}: no route" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "why"), [('{"affected": []}', ""), ('{"name": "pip"}', "something else"), ("<html>", "Expecting")]
)
def test_a_page_is_the_list_s_where_it_speaks_of_faults(tmp_path: Path, page: str, why: str) -> None:
    (tmp_path / "page").write_text(page)
    said = why_unreachable((tmp_path / "page").as_uri())
    assert why in said
    assert bool(said) == bool(why)


def test_a_host_that_is_silent_or_away_takes_seconds_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        assert why_unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.3)
        assert time.monotonic() - began_s < 5
    assert "refused" in why_unreachable(f"http://127.0.0.1:{_free_port()}/", 5)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
