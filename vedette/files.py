"""Files known by their sha256: checked, put in place in one move, fetched with a line of progress."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TextIO

from vedette.errors import SetupError

MEGABYTE = 1_000_000


def cache_dir() -> Path:
    """Where downloads are kept: $VEDETTE_CACHE, or `vedette` under the user's cache folder."""
    if given := os.environ.get("VEDETTE_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vedette"


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(source: Path, target: Path, sha256: str) -> Path:
    """Copy `source` to `target` in one move, once it is what it should be.

    Raises SetupError if its sha256 is another; `target` is then left as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incoming-") as incoming:
        copy = Path(shutil.copy(source, Path(incoming) / target.name))
        if (found := sha256_of(copy)) != sha256:
            raise SetupError(f"{source} is not {target.name}: sha256 {found}, not {sha256}", "Get it again.")
        copy.replace(target)
    return target


class Progress:
    """One line that grows: redrawn on a terminal, written now and then elsewhere. Safe to use from threads."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._bytes = 0
        self._files = 0
        self._files_shown = -1
        self._redraw_at = 0

    def received(self, count: int) -> None:
        """So many more bytes are here."""
        with self._lock:
            self._bytes += count
            if self._stream.isatty() and self._bytes >= self._redraw_at:
                self._redraw_at = self._bytes + MEGABYTE // 4
                self._write("\r", "")

    def file_done(self, total: int) -> None:
        """One more of `total` files is whole."""
        with self._lock:
            self._files += 1
            last = self._files == total
            if self._stream.isatty():
                self._write("\r", "\n" if last else "", f", {self._files} of {total}")
            elif last or self._files - self._files_shown >= 10:
                self._files_shown = self._files
                self._write("", "\n", f", {self._files} of {total}")

    def _write(self, start: str, end: str, files: str = "") -> None:
        self._stream.write(f"{start}{self._label}: {self._bytes / MEGABYTE:.1f} MB{files}   {end}")
        self._stream.flush()
