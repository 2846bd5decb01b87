"""One command at a time where two of them would undo each other's work."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vedette.errors import SetupError


@contextmanager
def alone(lock: Path, other: str) -> Iterator[None]:
    """Hold the file `lock` meanwhile, which a kill lets go. Raises SetupError, which says `other`, where one has it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError(other, "Wait until it has ended") from error
        yield
