"""What the jobs' supervisor says in their log, for the terminal: that they run, are started again, are given up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_NEWS = re.compile(rb"^\S+ \S+ (?:WARNING|ERROR) vedette\.jobs (.*)$")


class LogNews:
    """Reads what a log gained since the last look. Begins at its end: what an earlier run said is no news."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new(self) -> Iterator[str]:
        """Each line of the supervisor that came since."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._at:  # emptied: see vedette.processes.bound_log
            self._at, self._rest = 0, b""
        if size == self._at:
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(size - self._at)
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (match := _NEWS.match(line)) is not None:
                yield match[1].decode(errors="replace")
