"""One command at a time where two of them would undo each other's work."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from contracts.lock_file import HeldError, hold
from vedette.errors import SetupError


def alone(lock: Path, other: str, mend: str = "Wait until it has ended") -> IO[str]:
    """Hold the file `lock` until what is returned is closed. Raises SetupError with these words where one has it."""
    try:
        return hold(lock)
    except HeldError as error:
        raise SetupError(f"{other} (process {error.owner})", mend) from error
