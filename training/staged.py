"""A model's files are made and checked in a folder beside, and come to their place when all is well."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

UNCHECKED = ".unchecked-"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder to make a model in, whose files replace those in `folder` when the block ends well; else they are gone.

    The manifest comes last: where a kill leaves a new model with the old manifest, its digest says so. What a killed
    one left is swept by the next.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{UNCHECKED}*"):
        with suppress(FileNotFoundError, BlockingIOError), _held(left):
            shutil.rmtree(left)
    with TemporaryDirectory(prefix=UNCHECKED, dir=folder) as made, _held(Path(made)):
        yield Path(made)
        for path in sorted(Path(made).iterdir(), key=lambda one: (one.suffix == ".json", one.name)):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / path.name)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder is ours meanwhile: the kernel gives it up when a process ends, however it ends.

    Raises BlockingIOError where it is another's, FileNotFoundError where it is gone.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
