"""Child processes of the local system: started in groups of their own, started again when they die, ended for sure."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

log = logging.getLogger("vedette")

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""How long a child that died waits for its next start; the last for all later ones."""
LOG_BYTES, LOGS_KEPT = 10_000_000, 3
"""A child's log is at most so long, and so many older ones stay beside it."""
STEADY_S = 60.0
"""A child that lived so long starts its backoff anew."""


@dataclass
class Child:
    """One child: how it is started, and what became of it.

    One that `ends` is done with code 0 (a replay's agent); any other is started again whatever its code.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    ends: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    born_s: float = 0.0
    failures: int = 0
    due_s: float = 0.0
    done: bool = False
    code: int | None = None


@dataclass
class Children:
    """The children of one state folder; `run/children.json` lets the next start end those that a crash left behind."""

    state_dir: Path
    children: dict[str, Child] = field(default_factory=dict)

    def end_orphans(self) -> None:
        """End what an earlier run that was killed left behind."""
        try:
            known = json.loads(self._list.read_text())
        except (OSError, ValueError):
            return
        for pid, born in known:
            try:
                process = psutil.Process(pid)
                if process.create_time() == born:
                    _end_orphan(process)
            except psutil.NoSuchProcess:
                continue
        self._list.unlink(missing_ok=True)

    def start(self, child: Child) -> None:
        """Start a child with its output in `logs/<name>.log`."""
        self.children[child.name] = child
        log_file = self._log(child)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as out:
            child.process = subprocess.Popen(
                child.command,
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child.started_s = time.monotonic()
        # Not reaped before we poll, so that its entry is there even if it ended at once.
        child.born_s = psutil.Process(child.process.pid).create_time()
        self._remember()

    def check(self) -> None:
        """Notice children that died, and start again those that are due."""
        now = time.monotonic()
        for child in self.children.values():
            bound_log(self._log(child))
            if child.process is not None:
                self._notice(child, now)
            elif not child.done and now >= child.due_s:
                self.start(child)

    def _notice(self, child: Child, now: float) -> None:
        assert child.process is not None
        child.code = child.process.poll()
        if child.code is None:
            return
        child.process = None
        if child.code == 0 and child.ends:
            child.done = True
            return
        child.failures = 1 if now - child.started_s > STEADY_S else child.failures + 1
        wait_s = BACKOFF_S[min(child.failures, len(BACKOFF_S)) - 1]
        child.due_s = now + wait_s
        log.warning("%s ended with code %s, again in %g s (see %s)", child.name, child.code, wait_s, self._log(child))

    def stop(self, name: str, timeout_s: float) -> int | None:
        """Ask a child to end, and end it and all that it started after `timeout_s`; returns its code, if it lived."""
        child = self.children.get(name)
        process = child.process if child is not None else None
        self.stop_all((name,), time.monotonic() + timeout_s)
        return process.returncode if process is not None else None

    def stop_all(self, names: Iterable[str], until_s: float) -> None:
        """Ask some children to end, all at once, and end those that still live at `until_s` of the monotonic clock."""
        children = [self.children.pop(name) for name in names if name in self.children]
        _end([child.process for child in children if child.process is not None], until_s)
        self._remember()

    def _log(self, child: Child) -> Path:
        return self.state_dir / "logs" / f"{child.name}.log"

    @property
    def _list(self) -> Path:
        return self.state_dir / "run" / "children.json"

    def _remember(self) -> None:
        known = [(child.process.pid, child.born_s) for child in self.children.values() if child.process]
        self._list.parent.mkdir(parents=True, exist_ok=True)
        self._list.write_text(json.dumps(known))


def bound_log(path: Path, most: int = LOG_BYTES, kept: int = LOGS_KEPT) -> None:
    """Copy a log that has become long to `NAME.1.log`, older ones one number up, and empty it.

    The child has it open to append, so that it goes on at its beginning. What it writes between the copy and the
    emptying is lost: a line at most, once in 10 MB.
    """
    if not path.exists() or path.stat().st_size < most:
        return
    names = [path.with_suffix(f".{number}.log") for number in range(1, kept + 1)]
    for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
        if newer.exists():
            newer.replace(older)
    shutil.copyfile(path, names[0])
    os.truncate(path, 0)


def _end(processes: Sequence[subprocess.Popen[bytes]], until_s: float) -> None:
    """SIGTERM to the children, SIGKILL once the time is over, to them and all that they started (Flink's JVM)."""
    family: list[psutil.Process] = []
    for process in processes:
        if process.poll() is None:
            try:
                family += psutil.Process(process.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            process.terminate()
    for process in processes:
        try:
            # Not by psutil, which would take the exit code for itself.
            process.wait(max(0.0, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _kill(family, min(0.5, max(0.0, until_s - time.monotonic())))


def _end_orphan(process: psutil.Process) -> None:
    """The same for a process that an earlier run started."""
    family = process.children(recursive=True)
    process.terminate()
    _kill([process, *family], 5.0)


def _kill(processes: list[psutil.Process], after_s: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=after_s)
    for one in alive:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=2.0)
