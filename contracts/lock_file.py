"""A file that one process at a time can hold: who has a folder for itself says so by it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from contracts.errors import VedetteError


class HeldError(VedetteError):
    """Another process holds the file; `owner` is its id, as it wrote it."""

    def __init__(self, path: Path, owner: str) -> None:
        super().__init__(f"{path} is held by process {owner}")
        self.owner = owner


def hold(path: Path) -> IO[str]:
    """Hold the file, which is made where it isn't there, until what is returned is closed.

    The kernel gives it up when this process ends, however it ends. Raises HeldError, or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise HeldError(path, owner) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
