"""Class archives: made once of what a JVM loaded, used from then on, and never with other jars."""

from __future__ import annotations

import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from vedette.class_archive import ArchiveMaker, ClassArchive
from vedette.java import find_java


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassArchive:
    monkeypatch.setenv("VEDETTE_CACHE", str(tmp_path / "cache"))
    jar = tmp_path / "one.jar"
    with zipfile.ZipFile(jar, "w") as file:
        file.writestr("note.txt", "no class")
    return ClassArchive("part", find_java(), str(jar), ("-XX:+UseSerialGC",))


def java(archive: ClassArchive, *options: str) -> str:
    command = [archive.java.executable, *archive.flags, *options, "-cp", archive.classpath, "-version"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr


def test_the_first_run_writes_down_and_later_ones_map(archive: ClassArchive) -> None:
    assert archive.options(record=False) == ()
    java(archive, *archive.options(record=True))
    for name, age_days in (("part-old.jsa", 31), ("part-other.jsa", 29), ("another-old.jsa", 31)):
        (archive.path.parent / name).touch()
        os.utime(archive.path.parent / name, 2 * (time.time() - age_days * 86400,))
    maker = ArchiveMaker([archive], due_s=10.0)
    maker.check(9.9)
    assert not list(archive.path.parent.glob("*.unfinished"))
    deadline = time.monotonic() + 60
    while not archive.path.is_file():
        maker.check(10.0)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    maker.stop()
    left = sorted(path.name for path in archive.path.parent.iterdir())
    assert left == sorted([archive.path.name, "part-other.jsa", "another-old.jsa"])
    # -Xshare:on refuses to start where the archive does not fit.
    assert "sharing" in java(archive, "-Xshare:on", *archive.options(record=True))


def test_another_jar_has_another_archive(archive: ClassArchive) -> None:
    before = archive.path
    with zipfile.ZipFile(archive.classpath, "a") as file:
        file.writestr("more.txt", "changed")
    assert archive.path != before


def test_an_end_meanwhile_leaves_nothing(archive: ClassArchive) -> None:
    java(archive, *archive.options(record=True))
    maker = ArchiveMaker([archive], due_s=0.0)
    maker.check(1.0)
    maker.stop()
    assert list(archive.path.parent.iterdir()) == []
