"""Class archives: a JVM that maps its classes, instead of reading and checking each, starts in half the CPU time.

The first run with a class path writes down which classes it loads; from that list an archive is made once, beside the
running system and out of its way, and every later start uses it. Any other Java, jar or collector has its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedette.files import cache_dir
from vedette.java import Java

QUIET = ("-Xlog:cds=off", "-Xlog:class+path=off")
"""One that doesn't fit after all is not used: no reason for lines in a log."""
UNUSED_S = 30 * 86400


@dataclass(frozen=True)
class ClassArchive:
    """The archive of one JVM: `flags` are those that change how classes are laid out (collector, heap)."""

    name: str
    java: Java
    classpath: str
    flags: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it is once it was made; another for all that would make it unfit."""
        release = self.java.home / "release"
        parts = [release.read_text() if release.is_file() else str(self.java), *self.flags]
        for entry in filter(None, self.classpath.split(os.pathsep)):
            status = Path(entry).stat()
            parts.append(f"{entry} {status.st_size} {status.st_mtime_ns}")
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        return cache_dir() / "classes" / f"{self.name}-{key}.jsa"

    @property
    def _list(self) -> Path:
        """What this process's JVM loads: two that run at once don't write one list."""
        return self.path.with_suffix(f".{os.getpid()}.classes")

    def options(self, *, record: bool) -> tuple[str, ...]:
        """For the JVM's command: use the archive, or where there is none write down what is loaded (if `record`)."""
        if self.path.is_file():
            os.utime(self.path)  # in use: see Making.is_done
            return (f"-XX:SharedArchiveFile={self.path}", *QUIET)
        if not record:
            return ()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return (f"-XX:DumpLoadedClassList={self._list}",)

    def begin_making(self) -> Making | None:
        """Make the archive of what was loaded so far, at the lowest priority; None where nothing is to be done."""
        if self.path.is_file() or not self._list.is_file():
            return None
        # The JVM still writes: its last line may be half of one.
        classes = self._list.with_suffix(".whole")
        classes.write_bytes(self._list.read_bytes().rpartition(b"\n")[0] + b"\n")
        unfinished = self.path.with_suffix(f".{os.getpid()}.unfinished")
        command = [
            *("nice", "-n", "19", str(self.java.executable), "-Xshare:dump", *self.flags, "-Xlog:disable"),
            *(f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={unfinished}", "-cp", self.classpath),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return Making(process, unfinished, self.path)

    def forget(self) -> None:
        """Remove the lists of this process."""
        for path in (self._list, self._list.with_suffix(".whole")):
            path.unlink(missing_ok=True)


@dataclass
class Making:
    """An archive that is being made."""

    process: subprocess.Popen[bytes]
    unfinished: Path
    path: Path

    def is_done(self) -> bool:
        """Whether it is over; a whole one is then in its place, in one move."""
        code = self.process.poll()
        if code == 0 and self.unfinished.is_file():
            self.unfinished.replace(self.path)
            self._remove_unused()
        return code is not None

    def _remove_unused(self) -> None:
        """Those of other Javas or jars that no start has used for long; each takes some 70 MB."""
        part = self.path.name.rpartition("-")[0]
        for other in self.path.parent.glob(f"{part}-*.jsa"):
            if other.stat().st_mtime < self.path.stat().st_mtime - UNUSED_S:
                other.unlink(missing_ok=True)

    def stop(self) -> None:
        """Give up what is not done."""
        if not self.is_done():
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            self.unfinished.unlink()


class ArchiveMaker:
    """Makes the archives of a running system, one after the other, once it has run for `after_s`."""

    def __init__(self, archives: Sequence[ClassArchive], *, due_s: float) -> None:
        self._archives = list(archives)
        self._left = list(archives)
        self._due_s = due_s
        self._making: Making | None = None

    def check(self, now_s: float) -> None:
        """Call it a few times a second, with the clock of `due_s`."""
        if self._making is not None and self._making.is_done():
            self._making = None
        if self._making is None and self._left and now_s >= self._due_s:
            self._making = self._left.pop(0).begin_making()

    def stop(self) -> None:
        """Nothing is left running or half done."""
        if self._making is not None:
            self._making.stop()
        for archive in self._archives:
            archive.forget()
