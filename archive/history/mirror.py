"""Where the history's files are: a local folder, and a bucket behind it where the config names one.

DuckDB reads and writes local files, without extensions. With a bucket each file is written here and then put there,
and fetched from there by who lacks it; files never change, so a copy is as good as the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archive.evidence.durable import replace
from contracts.config import History

if TYPE_CHECKING:
    from archive.evidence.files import Files


class Mirror:
    """The local folder `root` and, maybe, a bucket. What the bucket says no to is an OSError."""

    def __init__(self, root: Path, bucket: Files | None = None) -> None:
        self.root = root
        self.bucket = bucket

    def read(self, name: str) -> bytes | None:
        """What counts: the bucket's file where there is one, None where there is none."""
        if self.bucket is not None:
            return self.bucket.read(name)
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Keep a file: a reader, also one after a crash, finds the old content or the new."""
        replace(self.root / name, data)
        self.put(name)

    def put(self, name: str) -> None:
        """A file that lies here already counts from now on."""
        if self.bucket is not None:
            self.bucket.write(name, (self.root / name).read_bytes())

    def path(self, name: str) -> Path:
        """The local file, fetched where it is missing; raises FileNotFoundError where there is none anywhere."""
        path = self.root / name
        if self.bucket is not None and not path.exists():
            data = self.bucket.read(name)
            if data is None:
                raise FileNotFoundError(self.bucket.place(name))
            replace(path, data)
        return path

    def delete(self, name: str) -> None:
        """A file is no more; one that isn't there is no error."""
        (self.root / name).unlink(missing_ok=True)
        if self.bucket is not None:
            self.bucket.delete(name)

    def names(self, under: str) -> set[str]:
        """The names of all files below a folder, here and there, also of half-written ones."""
        here = {str(path.relative_to(self.root)) for path in (self.root / under).rglob("*") if path.is_file()}
        return here | set(self.bucket.paths(under) if self.bucket is not None else ())


def mirror_of(config: History, state: Path) -> Mirror:
    """What the config names, else a folder in the state folder. Nothing is opened or connected yet."""
    root = Path(config.folder).expanduser() if config.folder else state / "history"
    if config.s3 is None:
        return Mirror(root)
    from archive.evidence.files import Bucket  # its library only where there is a bucket

    return Mirror(root, Bucket(config.s3))
