"""The Java libraries, pinned by sha256 in `locks/`: fetched once, checked, and handed out as paths.

`python -m vedette.jars` fetches what is missing; `python -m vedette.jars lock` resolves the locks anew.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vedette.errors import SetupError
from vedette.files import Progress, cache_dir, place, sha256_of

LOCKS = Path(__file__).with_name("locks")
ATTEMPTS = 3
PARALLEL_DOWNLOADS = 6
MEND = (
    "Check the connection (proxies are taken from HTTPS_PROXY) and run `make setup` again, "
    "or put the jars into a folder and name it in VEDETTE_JARS."
)
MEND_BY_FETCHING = "`python -m vedette.jars` fetches them again."


@dataclass(frozen=True)
class Jar:
    """One library of a lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in a Maven repository, and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> Path:
        """Where the cache keeps it."""
        return cache_dir() / "jars" / self.file_name


def kafka_classpath() -> tuple[Path, ...]:
    """The broker and all it needs; what is missing is fetched. Raises SetupError."""
    return _present(locked("broker"))


def flink_connector_jar() -> Path:
    """Flink's Kafka connector; fetched if it is missing. Raises SetupError."""
    (jar,) = _present(locked("flink"))
    return jar


def all_jars() -> tuple[Jar, ...]:
    """Every library that Vedette takes from Maven Central."""
    return locked("broker") + locked("flink")


@cache
def locked(name: str) -> tuple[Jar, ...]:
    """The libraries of one lock, `broker` or `flink`."""
    entries = tomllib.loads((LOCKS / f"{name}.lock.toml").read_text())["dependencies"]
    return tuple(Jar(e["groupId"], e["artifactId"], e["version"], e["sha256"]) for e in entries)


def faults() -> list[str]:
    """What is wrong with the cache: a jar that is missing, or that is not what the lock says."""
    found = []
    for jar in all_jars():
        if not jar.path.is_file():
            found.append(f"{jar.file_name} is missing")
        elif sha256_of(jar.path) != jar.sha256:
            found.append(f"{jar.file_name} has another sha256 than its lock")
    return found


def fetch(jars: tuple[Jar, ...]) -> None:
    """Get those of `jars` that the cache lacks or holds broken. Raises SetupError."""
    missing = [jar for jar in jars if not jar.path.is_file() or sha256_of(jar.path) != jar.sha256]
    if not missing:
        return
    progress = Progress("Java libraries")

    def get(jar: Jar) -> None:
        if not _take_given(jar):
            _download(jar, progress)
        progress.file_done(len(missing))

    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        try:
            list(pool.map(get, missing))
        except SetupError:
            pool.shutdown(cancel_futures=True)
            raise


def _present(jars: tuple[Jar, ...]) -> tuple[Path, ...]:
    """The jars' paths. The sums were checked when each was put in place, so here it is enough that they are there."""
    if not all(jar.path.is_file() for jar in jars):
        fetch(jars)
    return tuple(jar.path for jar in jars)


def _take_given(jar: Jar) -> bool:
    """Whether the folder VEDETTE_JARS had it."""
    folder = os.environ.get("VEDETTE_JARS")
    if not folder or not (given := Path(folder).expanduser() / jar.file_name).is_file():
        return False
    place(given, jar.path, jar.sha256)
    return True


def _download(jar: Jar, progress: Progress) -> None:
    """From Maven Central into a folder of its own: jgo would take a half-written file for a whole one."""
    # Imported here: it takes a third of a second, and is not needed once the jars are there.
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def watch(_file_name: str, _size: int) -> Iterator[Any]:
        yield progress.received

    problem: Exception | None = None
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="vedette-jar-") as folder:
            context = MavenContext(
                repo_cache=Path(folder), resolver=PythonResolver(progress_callback=watch), timeout=60
            )
            artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
            try:
                place(artifact.resolve(), jar.path, jar.sha256)
            except (OSError, RuntimeError, SetupError) as error:
                problem = error
            else:
                return
    raise SetupError(f"{jar.file_name} can't be fetched: {problem}", MEND) from problem


def lock() -> None:
    """Resolve `locks/*.toml` with jgo and write the locks. It starts no Java and fetches no JDK."""
    from jgo.env import EnvironmentSpec, LockFile
    from jgo.maven import MavenContext

    for path in sorted(LOCKS.glob("*.toml")):
        if path.name.endswith(".lock.toml"):
            continue
        spec = EnvironmentSpec.load(path)
        with tempfile.TemporaryDirectory(prefix="vedette-lock-") as folder:
            context = MavenContext(repo_cache=Path(folder), timeout=60)
            direct, transitive = context.resolver.resolve([context.create_dependency(c) for c in spec.coordinates])
            locked_file = LockFile.from_resolved_dependencies(direct + transitive, environment_name=spec.name)
        locked_file.save(path.with_suffix(".lock.toml"))
        print(f"{path.stem}: {len(locked_file.dependencies)} jars")


if __name__ == "__main__":
    try:
        lock() if sys.argv[1:] == ["lock"] else fetch(all_jars())
    except SetupError as error:
        sys.exit(str(error))
