"""Lets what a bench starts run before what else the machine does, where a bench has to share it."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import psutil

EVERY_S = 0.2


def hurry(nice: int) -> None:
    """Give this process and all that it starts from now on this niceness (below 0: as root).

    Linux's autogroups make niceness count within a session only, and each part of the system has a session of its own:
    so the sessions' groups get it too, by a thread that looks for new ones.
    """
    os.nice(nice)
    threading.Thread(target=_follow, args=(nice,), name="priority", daemon=True).start()


def _follow(nice: int) -> None:
    known: set[tuple[int, float]] = set()
    tick = threading.Event()
    while True:
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                born = (process.pid, process.create_time())
                if born not in known:
                    Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))
                    known.add(born)
        tick.wait(EVERY_S)
