"""Child processes: started again when they die, ended for sure, and what a crash left behind is ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from vedette import processes
from vedette.processes import Child, Children


def child(script: str, name: str = "part") -> Child:
    return Child(name, [sys.executable, "-c", script], dict(os.environ), ends="pass" in script)


def test_a_child_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BACKOFF_S", (0.0,))
    children = Children(tmp_path)
    part = child("import time; print('hello', flush=True); time.sleep(60)")
    children.start(part)
    first = part.process
    assert first is not None
    first.kill()
    first.wait()
    children.check()
    assert part.code == -9
    wait_until(lambda: (children.check(), part.process is not None)[1])
    assert part.process.pid != first.pid
    wait_until(lambda: (tmp_path / "logs" / "part.log").read_text().count("hello") >= 1)
    children.stop("part", 5.0)


def test_a_child_that_is_done_stays_done(tmp_path: Path) -> None:
    children = Children(tmp_path)
    part = child("pass")
    children.start(part)
    wait_until(lambda: (children.check(), part.done)[1])
    children.check()
    assert (part.process, part.code) == (None, 0)


def test_one_that_does_not_listen_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(one.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    children = Children(tmp_path)
    children.start(child(script))
    log = tmp_path / "logs" / "part.log"
    wait_until(lambda: log.read_text().strip().isdigit())
    grandchild = psutil.Process(int(log.read_text()))
    began = time.monotonic()
    children.stop("part", 0.5)
    assert time.monotonic() - began < 5.0
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_those_that_do_not_listen_are_ended_together_at_one_moment(tmp_path: Path) -> None:
    script = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)"
    )
    children = Children(tmp_path)
    parts = [child(script, name) for name in ("one", "two", "three")]
    for part in parts:
        children.start(part)
        wait_until(lambda part=part: "deaf" in (tmp_path / "logs" / f"{part.name}.log").read_text())
    processes_ = [part.process for part in parts]
    began = time.monotonic()
    children.stop_all(("one", "two", "three", "never started"), began + 2.0)
    assert 2.0 <= time.monotonic() - began < 3.9  # one after the other: 6 s
    assert [process.returncode for process in processes_ if process] == [-9, -9, -9]
    assert children.children == {}


def test_what_a_crash_left_behind_is_ended_by_the_next_start(tmp_path: Path) -> None:
    lost = Children(tmp_path)
    part = child("import time; time.sleep(60)")
    lost.start(part)
    Children(tmp_path).end_orphans()
    assert part.process is not None
    assert not psutil.pid_exists(part.process.pid)
    part.process.wait()
    # The list went with them: a second start finds nothing, and another process with that number is left alone.
    Children(tmp_path).end_orphans()


def test_a_log_that_grows_is_bounded_and_the_child_writes_on(tmp_path: Path) -> None:
    script = "import sys, time\nfor n in range(60):\n print(f'line {n}', flush=True)\n time.sleep(0.02)\ntime.sleep(60)"
    children = Children(tmp_path)
    children.start(child(script))
    log = tmp_path / "logs" / "part.log"

    def over() -> bool:
        processes.bound_log(log, most=100, kept=2)
        return "line 59" in "".join(path.read_text() for path in log.parent.iterdir())

    wait_until(over)
    children.stop("part", 5.0)
    assert sorted(path.name for path in log.parent.iterdir()) == ["part.1.log", "part.2.log", "part.log"]
    assert all(path.stat().st_size < 200 for path in log.parent.iterdir())
    kept = [int(line.split()[1]) for name in ("part.2.log", "part.1.log", "part.log") for line in _lines(log, name)]
    # In order, without a hole and without the zeros that a file has that was emptied under one who does not append.
    assert kept == list(range(kept[0], 60))


def _lines(log: Path, name: str) -> list[str]:
    return log.with_name(name).read_text().splitlines()


def test_each_look_at_the_children_bounds_their_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded: list[Path] = []
    monkeypatch.setattr(processes, "bound_log", bounded.append)
    children = Children(tmp_path)
    children.start(child("import time; time.sleep(60)"))
    children.check()
    children.stop("part", 5.0)
    assert bounded == [tmp_path / "logs" / "part.log"]
