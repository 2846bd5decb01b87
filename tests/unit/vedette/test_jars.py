"""Jars come from a Maven repository or a folder, and only with the sha256 of their lock."""

from __future__ import annotations

import gc
import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jgo.maven._core
import jgo.util.java
import pytest

from vedette import jars
from vedette.errors import SetupError
from vedette.files import sha256_of

# jgo leaves the socket of a refused download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CONTENT = {"alpha-1.0.jar": b"a jar " * 1000, "beta-2.0.jar": b"another " * 1000}


class Repository(http.server.SimpleHTTPRequestHandler):
    """A Maven repository on this machine that notes what it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[str]]]:
    """Two locked jars, an empty cache, and a repository that jgo takes for Maven Central.

    jgo's environments would fetch a JDK of their own; its resolver, which is all that we use, must not look for one.
    """
    locks = tmp_path / "locks"
    locks.mkdir()
    root = tmp_path / "repository"
    for lock, name in (("broker", "alpha-1.0.jar"), ("flink", "beta-2.0.jar")):
        artifact, version = name.removesuffix(".jar").split("-")
        folder = root / "org" / "example" / artifact / version
        folder.mkdir(parents=True)
        (folder / name).write_bytes(CONTENT[name])
        digest = hashlib.sha256(CONTENT[name]).hexdigest()
        (locks / f"{lock}.lock.toml").write_text(
            f'[[dependencies]]\ngroupId = "org.example"\nartifactId = "{artifact}"\n'
            f'version = "{version}"\nsha256 = "{digest}"\n'
        )
    asked: list[str] = []
    handler = type("Handler", (Repository,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(
            jgo.maven._core, "DEFAULT_REMOTE_REPOS", {"central": f"http://127.0.0.1:{server.server_port}"}
        )
        monkeypatch.setattr(jgo.util.java.JavaLocator, "locate", lambda _self: pytest.fail("jgo looks for a JDK"))
        monkeypatch.setattr(jars, "LOCKS", locks)
        monkeypatch.setenv("VEDETTE_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("VEDETTE_JARS", raising=False)
        jars.locked.cache_clear()
        yield root, asked
        server.shutdown()
        thread.join()
    jars.locked.cache_clear()
    gc.collect()


def test_fetches_what_is_missing_once(repository: tuple[Path, list[str]]) -> None:
    _, asked = repository
    assert jars.faults() == ["alpha-1.0.jar is missing", "beta-2.0.jar is missing"]
    (alpha,) = jars.kafka_classpath()
    beta = jars.flink_connector_jar()
    assert [alpha.read_bytes(), beta.read_bytes()] == [CONTENT["alpha-1.0.jar"], CONTENT["beta-2.0.jar"]]
    assert jars.faults() == []
    count = len(asked)
    jars.kafka_classpath()
    jars.fetch(jars.all_jars())
    assert len(asked) == count


def test_another_file_than_the_locks_is_refused(repository: tuple[Path, list[str]]) -> None:
    root, asked = repository
    (root / "org/example/alpha/1.0/alpha-1.0.jar").write_bytes(b"something else")
    with pytest.raises(SetupError, match=r"alpha-1.0.jar can't be fetched: .*sha256"):
        jars.kafka_classpath()
    assert not jars.locked("broker")[0].path.exists()
    assert sum(path.endswith("alpha-1.0.jar") for path in asked) == jars.ATTEMPTS


def test_no_such_jar_tells_the_other_ways(repository: tuple[Path, list[str]]) -> None:
    root, _ = repository
    (root / "org/example/beta/2.0/beta-2.0.jar").unlink()
    with pytest.raises(SetupError, match=r"beta-2\.0\.jar can't be fetched") as caught:
        jars.flink_connector_jar()
    assert "VEDETTE_JARS" in caught.value.mend


def test_a_broken_jar_is_seen_and_fetched_again(repository: tuple[Path, list[str]]) -> None:
    jars.fetch(jars.all_jars())
    alpha = jars.locked("broker")[0]
    alpha.path.write_bytes(b"bit rot")
    assert jars.faults() == ["alpha-1.0.jar has another sha256 than its lock"]
    jars.fetch(jars.all_jars())
    assert sha256_of(alpha.path) == alpha.sha256


def test_a_given_folder_serves_without_a_repository(
    repository: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked = repository
    given = tmp_path / "given"
    given.mkdir()
    for name, content in CONTENT.items():
        (given / name).write_bytes(content)
    monkeypatch.setenv("VEDETTE_JARS", str(given))
    jars.fetch(jars.all_jars())
    assert jars.faults() == []
    assert asked == []


def test_a_given_file_that_is_another_is_refused(
    repository: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alpha-1.0.jar").write_bytes(b"not this")
    monkeypatch.setenv("VEDETTE_JARS", str(tmp_path))
    with pytest.raises(SetupError, match=r"is not alpha-1\.0\.jar"):
        jars.kafka_classpath()


def test_the_locks_name_each_jar_once_with_its_sum() -> None:
    locked = jars.all_jars()
    assert len({jar.file_name for jar in locked}) == len(locked) > 40
    assert all(len(jar.sha256) == 64 and int(jar.sha256, 16) for jar in locked)
    # A bill of materials of another library once lowered the clients to another version than the broker's.
    kafka = {jar.version for jar in jars.locked("broker") if jar.group == "org.apache.kafka"}
    assert len(kafka) == 1
    assert not any("//" in path.read_text() for path in jars.LOCKS.iterdir())


def test_lock_writes_what_it_resolved(
    repository: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = repository
    pom = (
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
        "<artifactId>{}</artifactId><version>{}</version><dependencies>{}</dependencies></project>"
    )
    needs = "<dependency><groupId>org.example</groupId><artifactId>beta</artifactId><version>2.0</version></dependency>"
    (root / "org/example/alpha/1.0/alpha-1.0.pom").write_text(pom.format("alpha", "1.0", needs))
    (root / "org/example/beta/2.0/beta-2.0.pom").write_text(pom.format("beta", "2.0", ""))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "broker.toml").write_text('[dependencies]\ncoordinates = ["org.example:alpha:1.0"]\n')
    monkeypatch.setattr(jars, "LOCKS", fresh)
    jars.lock()
    assert [(jar.file_name, jar.sha256) for jar in jars.locked("broker")] == [
        (name, hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()
    ]
