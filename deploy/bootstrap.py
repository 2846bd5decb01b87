"""Makes .venv with everything that Vedette runs on: make calls it with whatever `python3` there is.

`bootstrap.py` brings what running needs, `bootstrap.py dev` what checks and tests need as well. Only the standard
library, and only syntax of Python 3.7, so that an unfit Python can say so itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
RELEASES = ((3, 11), (3, 12))
UV = "uv==0.13.8"
SAY_S = 15.0
"""How often progress is written where it can't be redrawn."""
EXTRAS = ("edge", "stream", "local", "console")

# What an interpreter says of itself. Flink runs Python inside its JVM, which takes a libpython that can be loaded.
ASK = """
import ctypes.util, importlib.util, json, os, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
folders = [sysconfig.get_config_var("LIBDIR") or "", os.path.join(sys.base_prefix, "lib")]
folders += [os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "") for folder in folders]
shared = name.endswith((".so", ".so.1.0", ".dylib")) and any(os.path.exists(os.path.join(f, name)) for f in folders)
shared = shared or bool(ctypes.util.find_library("python%d.%d" % sys.version_info[:2]))
has_venv = bool(importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"))
print(json.dumps([list(sys.version_info[:2]), shared, has_venv]))
"""

WAYS_TO_A_PYTHON = """\
  Debian 12:     apt-get install python3.11 python3.11-venv libpython3.11
  Ubuntu 24.04:  apt-get install python3.12 python3.12-venv libpython3.12
  Fedora:        dnf install python3.12
  macOS:         brew install python@3.12
  anywhere:      install uv, then `uv python install 3.12` and `make setup PYTHON=$(uv python find 3.12)`"""


class SetupFailed(Exception):
    """Set-up can't go on; the text says what to do."""


def main(more_extras: list[str]) -> None:
    """Environment, packages, jars; each step says what it does, and what is there already is kept."""
    if not _venv_is_sound():
        python = _fit_python()
        _say("Making the virtual environment .venv with " + python)
        shutil.rmtree(VENV, ignore_errors=True)
        _run(python, "-m", "venv", str(VENV))
    environment = _environment()
    _say("Installing the packages (about 650 MB the first time; Flink alone is 330 MB)")
    _run(str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
    wanted = "{}[{}]".format(ROOT, ",".join([*EXTRAS, *more_extras]))
    pins = str(ROOT / "constraints.txt")
    _install(
        [
            *(str(VENV_PYTHON), "-m", "uv", "pip", "install", "--python", str(VENV_PYTHON)),
            *("--constraints", pins, "--editable", wanted),
        ],
        environment,
        sys.stderr,
    )
    _say("Getting the Java libraries (56 MB the first time)")
    _run(str(VENV_PYTHON), "-m", "vedette.jars", env=environment)
    if not _ask(str(VENV_PYTHON))[1]:
        _say("No shared libpython was found: Flink can't run Python in its JVM. Get a Python that has one:")
        _say(WAYS_TO_A_PYTHON + "\nthen: make clean setup")


def _fit_python() -> str:
    """The Python to build on: the one that runs this if it fits, else one on PATH; best one with a shared libpython."""
    names = [sys.executable] + ["python{}.{}".format(*release) for release in RELEASES]
    # Run inside .venv, `python3` is the environment that is about to be replaced: take what it was made from.
    paths = [
        os.path.realpath(path) if path.startswith(str(VENV)) else path for path in map(shutil.which, names) if path
    ]
    found = [(path, _ask(path)) for path in paths]
    fit = [(path, answer) for path, answer in found if answer is not None and answer[0] in RELEASES]
    if not fit:
        mine = "{}.{}".format(*sys.version_info[:2])
        raise SetupFailed(
            f"Vedette needs Python 3.11 or 3.12 (Flink's Python allows no other), {sys.executable} is {mine}.\n"
            + WAYS_TO_A_PYTHON
        )
    with_venv = [(path, answer) for path, answer in fit if answer[2]]
    if not with_venv:
        release = "python{}.{}".format(*fit[0][1][0])
        raise SetupFailed(f"{fit[0][0]} can't make virtual environments: apt-get install {release}-venv")
    return next((path for path, answer in with_venv if answer[1]), with_venv[0][0])


def _ask(python):
    """(release, shared libpython, can make environments) by the interpreter's own word; None if it does not run."""
    try:
        said = subprocess.run([python, "-c", ASK], capture_output=True, timeout=60, check=True)
        release, shared, has_venv = json.loads(said.stdout.decode())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return tuple(release), shared, has_venv


def _venv_is_sound() -> bool:
    answer = _ask(str(VENV_PYTHON))
    if answer is None or answer[0] not in RELEASES:
        return False
    return subprocess.run([VENV_PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _environment():
    """This environment, with what pip's own configuration says of its index and certificates told to uv as well."""
    environment = dict(os.environ)
    said = subprocess.run([str(VENV_PYTHON), "-m", "pip", "config", "list"], capture_output=True, check=True)
    told = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    for line in said.stdout.decode().splitlines():
        key, _, value = line.partition("=")
        name = told.get(key.strip(":").rpartition(".")[2])
        text = " ".join(value.strip("'\"").replace("\\n", " ").split())
        if name and text:
            environment.setdefault(name, text)
    return environment


UNITS = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}


class Installing:
    """What uv has said so far, in one line: how many packages there are, how much of them is here, how long it takes.

    uv names the packages of a megabyte and more, with their sizes, as it begins and as it has them.
    """

    BEGUN = re.compile(r"^\s*Downloading (\S+) \(([0-9.]+)(KiB|MiB|GiB)\)")
    FETCHED = re.compile(r"^\s*Downloaded (\S+)")
    RESOLVED = re.compile(r"^(?:Resolved|Audited) (\d+) packages?")
    INSTALLED = re.compile(r"^ \+ ")

    def __init__(self) -> None:
        self.lines = []
        self._sizes = {}
        self._here = set()
        self._count = 0
        self._installed = 0

    def heard(self, line) -> None:
        """Take one line of uv."""
        self.lines.append(line)
        begun, fetched, resolved = (rule.match(line) for rule in (self.BEGUN, self.FETCHED, self.RESOLVED))
        if begun:
            self._sizes[begun.group(1)] = float(begun.group(2)) * UNITS[begun.group(3)]
        elif fetched:
            self._here.add(fetched.group(1))
        elif resolved:
            self._count = int(resolved.group(1))
        elif self.INSTALLED.match(line):
            self._installed += 1

    def line(self, took_s) -> str:
        """The progress after so many seconds."""
        parts = [f"{self._count} packages" if self._count else "looking for versions"]
        if self._sizes:
            here = sum(size for name, size in self._sizes.items() if name in self._here)
            parts.append(f"{here:.0f} of {sum(self._sizes.values()):.0f} MB here")
        if self._installed:
            parts.append(f"{self._installed} installed")
        return "Packages: {}, {:.0f} s".format(", ".join(parts), took_s)


def _install(command, environment, stream) -> None:
    """Run uv with one line of progress: redrawn on a terminal, now and then elsewhere; all that it said if it fails."""
    installing = Installing()
    process = subprocess.Popen(
        command,
        cwd=str(ROOT),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    reader = threading.Thread(target=lambda: [installing.heard(line.rstrip()) for line in process.stderr], daemon=True)
    reader.start()
    began_s = said_s = time.monotonic()
    while reader.is_alive():
        reader.join(0.5)
        now_s = time.monotonic()
        if stream.isatty():
            stream.write(f"\r{installing.line(now_s - began_s):<70}")
            stream.flush()
        elif now_s - said_s >= SAY_S:
            said_s = now_s
            print(installing.line(now_s - began_s), file=stream, flush=True)
    code = process.wait()
    process.stderr.close()
    start = "\r" if stream.isatty() else ""
    print(f"{start}{installing.line(time.monotonic() - began_s):<70}".rstrip(" "), file=stream, flush=True)
    if code != 0:
        print("\n".join(installing.lines), file=stream, flush=True)
        raise SetupFailed("This failed with code {}: {}".format(code, " ".join(command)))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(*command: str, env=None) -> None:
    done = subprocess.run(command, cwd=str(ROOT), env=env, check=False)
    if done.returncode != 0:
        raise SetupFailed("This failed with code {}: {}".format(done.returncode, " ".join(command)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupFailed as failure:
        sys.exit(str(failure))
