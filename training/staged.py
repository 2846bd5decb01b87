"""A model's files are made and checked in a folder beside, and come to their place when all is well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder to make a model in, whose files replace those in `folder` when the block ends well; else they are gone.

    The manifest comes last: where a kill leaves a new model with the old manifest, its digest says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".unchecked-", dir=folder) as made:
        yield Path(made)
        for path in sorted(Path(made).iterdir(), key=lambda one: (one.suffix == ".json", one.name)):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / path.name)
