"""The seam between evidence and where it is kept: files by their path, in a folder or in an S3 bucket.

Paths are relative, with `/`. What goes wrong beyond a missing file is an OSError, whatever is behind the seam.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store

from archive.evidence.durable import create, replace
from contracts.config import S3, EvidenceStore

KEY_FILE = "signing.key"
"""The site's signing key, in the archive's state folder: never beside what it signs."""


ATTEMPTS, RETRY_S = 5, 20.0
"""A bucket that doesn't answer is asked again so often, and for so long; then it is an error."""


class Files(Protocol):
    """Where evidence is kept."""

    def read(self, path: str) -> bytes | None:
        """The whole file, None where there is none."""
        ...

    def part(self, path: str, first: int, end: int) -> bytes | None:
        """Its bytes from `first` to before `end`, None where there is none."""
        ...

    def size(self, path: str) -> int | None:
        """Its bytes, None where there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Keep a file: a reader, also one after a crash, finds the old content or the new."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Keep a new file; False, and nothing changed, where there is one."""
        ...

    def delete(self, path: str) -> None:
        """A file is no more; one that isn't there is no error."""
        ...

    def clear(self, under: str) -> None:
        """The folder `under` is no more, with all that is in it."""
        ...

    def folders(self, under: str) -> list[str]:
        """The names of the folders in `under`, sorted."""
        ...

    def paths(self, under: str) -> list[str]:
        """The paths of all files below the folder `under`, sorted."""
        ...

    def place(self, path: str) -> str:
        """Where that is, for a person."""
        ...

    def space(self) -> tuple[int, int] | None:
        """Free and all bytes of the disk; None where that is not ours to know."""
        ...


class Folder:
    """Files in a local folder, each write on the disk before it returns. Links out of the folder are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        """See Files."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def part(self, path: str, first: int, end: int) -> bytes | None:
        """See Files."""
        try:
            with (self.root / path).open("rb") as file:
                file.seek(first)
                return file.read(end - first)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def size(self, path: str) -> int | None:
        """See Files."""
        try:
            return (self.root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, data: bytes) -> None:
        """See Files."""
        replace(self.root / path, data)

    def create(self, path: str, data: bytes) -> bool:
        """See Files."""
        return create(self.root / path, data)

    def delete(self, path: str) -> None:
        """See Files."""
        (self.root / path).unlink(missing_ok=True)

    def clear(self, under: str) -> None:
        """See Files."""
        if (self.root / under).is_dir():
            shutil.rmtree(self.root / under)

    def folders(self, under: str) -> list[str]:
        """See Files."""
        try:
            return sorted(one.name for one in (self.root / under).iterdir() if one.is_dir() and not one.is_symlink())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def paths(self, under: str) -> list[str]:
        """See Files."""
        found = (self.root / under).rglob("*")  # follows no link to a folder
        return sorted(one.relative_to(self.root).as_posix() for one in found if one.is_file() and one.name[0] != ".")

    def place(self, path: str) -> str:
        """See Files."""
        return str(self.root / path)

    def space(self) -> tuple[int, int]:
        """See Files."""
        folder = self.root.absolute()
        while not folder.exists():
            folder = folder.parent
        usage = shutil.disk_usage(folder)
        return usage.free, usage.total


class Bucket:
    """Files in an S3 bucket. Who may is said by the environment (AWS_ACCESS_KEY_ID ...)."""

    def __init__(self, s3: S3, attempts: int = ATTEMPTS) -> None:
        self._url = f"s3://{'/'.join(filter(None, (s3.bucket, s3.prefix)))}"
        self._store = S3Store(
            s3.bucket,
            prefix=s3.prefix or None,
            region=s3.region,
            client_options={"allow_http": s3.endpoint.startswith("http://"), "timeout": "30s"},
            config={"endpoint": s3.endpoint} if s3.endpoint else None,
            retry_config={"max_retries": attempts, "retry_timeout": dt.timedelta(seconds=RETRY_S)},
        )

    def read(self, path: str) -> bytes | None:
        """See Files."""
        with self._asking(path):
            try:
                return bytes(obstore.get(self._store, path).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    def part(self, path: str, first: int, end: int) -> bytes | None:
        """See Files."""
        if end <= first:
            return b"" if self.size(path) is not None else None
        with self._asking(path):
            try:
                return bytes(obstore.get_range(self._store, path, start=first, end=end))
            except (NotFoundError, FileNotFoundError):
                return None

    def size(self, path: str) -> int | None:
        """See Files."""
        with self._asking(path):
            try:
                return int(obstore.head(self._store, path)["size"])
            except (NotFoundError, FileNotFoundError):
                return None

    def write(self, path: str, data: bytes) -> None:
        """See Files."""
        with self._asking(path):
            obstore.put(self._store, path, data)

    def create(self, path: str, data: bytes) -> bool:
        """See Files."""
        with self._asking(path):
            try:
                obstore.put(self._store, path, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def delete(self, path: str) -> None:
        """See Files."""
        with self._asking(path):
            try:
                obstore.delete(self._store, path)
            except (NotFoundError, FileNotFoundError):
                return

    def clear(self, under: str) -> None:
        """See Files."""
        for path in self.paths(under):
            self.delete(path)

    def folders(self, under: str) -> list[str]:
        """See Files."""
        with self._asking(under):
            found = obstore.list_with_delimiter(self._store, under or None)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def paths(self, under: str) -> list[str]:
        """See Files."""
        with self._asking(under):
            return sorted(one["path"] for some in obstore.list(self._store, under or None) for one in some)

    def place(self, path: str) -> str:
        """See Files."""
        return f"{self._url}/{path}"

    def space(self) -> None:
        """See Files."""
        return

    @contextmanager
    def _asking(self, path: str) -> Iterator[None]:
        try:
            yield
        except BaseError as error:
            raise OSError(f"{self.place(path)}: {error}") from error


def files_of(config: EvidenceStore, state: Path) -> Files:
    """What the config names, else the folder in the state folder. Nothing is opened or connected yet."""
    if config.s3 is not None:
        return Bucket(config.s3)
    return Folder(Path(config.folder).expanduser() if config.folder else state / "evidence")
