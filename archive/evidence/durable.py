"""Files on a local disk that are whole or not there, also after a power cut."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, also one after a crash, finds the old content or the new."""
    _written(path, data, path.with_name(f".{path.name}.tmp")).replace(path)


def create(path: Path, data: bytes) -> bool:
    """Write a new file in the same way; False, and nothing changed, where there is one.

    Others may try at the same moment: one of them makes it, whole.
    """
    own = f"{os.getpid()}-{threading.get_ident()}"
    temporary = _written(path, data, path.with_name(f".{path.name}.{own}.tmp"))
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _written(path: Path, data: bytes, temporary: Path) -> Path:
    """`data` on the disk beside `path`; what a kill leaves of it is no file to any reader (`Folder.paths`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary
