"""Files on a local disk that are whole or not there, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, also one after a crash, finds the old content or the new."""
    _written(path, data).replace(path)


def create(path: Path, data: bytes) -> bool:
    """Write a new file in the same way; False, and nothing changed, where there is one."""
    temporary = _written(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _written(path: Path, data: bytes) -> Path:
    """`data` on the disk beside `path`; what a kill leaves of it, the next attempt writes over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary
