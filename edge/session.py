"""The agent's start as a number that only grows: kept in the state folder, written through to the disk."""

from __future__ import annotations

import os
from pathlib import Path


def next_session(folder: Path) -> int:
    """Return the number of this start (1 for the first) after it is safely on disk; raises OSError.

    A file that can't be read as a number is refused with ValueError: a lower number would make every consumer drop
    the new frames as already seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "session"
    session = (int(path.read_text("ascii")) if path.exists() else 0) + 1
    replace_file(path, str(session).encode("ascii"), sync=True)
    return session


def replace_file(path: Path, data: bytes, *, sync: bool) -> None:
    """Put `data` in the place of the file in one step; with `sync` it is on the disk afterwards."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Afterwards the names in the folder are on the disk, too."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
