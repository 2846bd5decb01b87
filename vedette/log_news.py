"""What a part says in its log, for the terminal: that the jobs run or are given up, that the master key is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path


class LogNews:
    """Reads what a log gained since the last look. Begins at its end: what an earlier run said is no news."""

    def __init__(self, path: Path, logger: str) -> None:
        """`logger` is the one whose warnings and errors are news."""
        self._path = path
        self._wanted = re.compile(rb"^\S+ \S+ (?:WARNING|ERROR) " + re.escape(logger.encode()) + rb" (.*)$")
        self._at = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new(self) -> Iterator[str]:
        """Each line of the logger's that came since."""
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
            if (match := self._wanted.match(line)) is not None:
                yield match[1].decode(errors="replace")
