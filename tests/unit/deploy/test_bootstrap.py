"""Set-up takes a Python that fits, and says what to do where there is none."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[3] / "deploy" / "bootstrap.py"


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_python(path: Path, release: tuple[int, int], *, shared: bool = True, venv: bool = True) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps([release, shared, venv])}'\n")
    path.chmod(0o755)
    return path


def fit(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, running: Path) -> str:
    monkeypatch.setattr(sys, "executable", str(running))
    monkeypatch.setenv("PATH", str(folder))
    return str(bootstrap._fit_python())


def test_the_one_that_runs_it_if_it_fits(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = make_python(tmp_path / "python3", (3, 12))
    make_python(tmp_path / "python3.11", (3, 11))
    assert fit(bootstrap, monkeypatch, tmp_path, running) == str(running)


@pytest.mark.parametrize(
    ("running", "shared"),
    [
        ((3, 13), True),  # too new
        ((3, 10), True),  # too old
        ((3, 12), False),  # fits, but Flink could not load it
    ],
)
def test_else_one_on_path(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, running: tuple[int, int], shared: bool
) -> None:
    other = make_python(tmp_path / "python3.11", (3, 11))
    broken = tmp_path / "python3.12"
    broken.write_text("#!/bin/sh\nexit 127\n")  # as pyenv's shims of what is not installed
    broken.chmod(0o755)
    python = make_python(tmp_path / "python3", running, shared=shared)
    assert fit(bootstrap, monkeypatch, tmp_path, python) == str(other)


def test_no_fit_python_tells_where_to_get_one(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = make_python(tmp_path / "python3", (3, 10))
    with pytest.raises(bootstrap.SetupFailed, match=r"3\.11 or 3\.12(.|\n)*apt-get install python3"):
        fit(bootstrap, monkeypatch, tmp_path, running)


def test_python_without_venv_names_the_package(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = make_python(tmp_path / "python3", (3, 11), venv=False)
    with pytest.raises(bootstrap.SetupFailed, match=r"python3\.11-venv"):
        fit(bootstrap, monkeypatch, tmp_path, running)


def test_inside_the_environment_its_origin_is_taken(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is about to be replaced, and can't be made from itself."""
    origin = make_python(tmp_path / "origin" / "python3.11", (3, 11))
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "python3").symlink_to(origin)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    assert fit(bootstrap, monkeypatch, scripts, scripts / "python3") == str(origin)


def test_this_python_answers(bootstrap: ModuleType) -> None:
    release, shared, _ = bootstrap._ask(sys.executable)
    assert release == sys.version_info[:2]
    assert shared is True


def test_pips_index_is_told_to_uv(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho \"global.index-url='https://mirror.example/simple'\"\necho \":env:.cert='/etc/ca.crt'\"\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", python)
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.crt")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    environment = bootstrap._environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["SSL_CERT_FILE"] == "/mine.crt"
    assert environment["PATH"] == os.environ["PATH"]


UV_SAYS = """Using CPython 3.11.7 interpreter at: python
Resolved 71 packages in 385ms
Downloading apache-flink (330.0MiB)
Downloading numpy (512.0KiB)
 Downloaded numpy
"""


def uv(tmp_path: Path, *, then: str) -> list[str]:
    """A command that says what uv says, and ends as `then` has it."""
    script = tmp_path / "uv"
    script.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{UV_SAYS}END\n{then}\n")
    script.chmod(0o755)
    return [str(script)]


def test_packages_are_one_line_of_progress(bootstrap: ModuleType, tmp_path: Path) -> None:
    stream = io.StringIO()
    done = "echo ' Downloaded apache-flink' >&2; echo ' + numpy==2.0' >&2; echo ' + apache-flink==2.3.0' >&2"
    bootstrap._install(uv(tmp_path, then=done), dict(os.environ), stream)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("Packages: 71 packages, 330 of 330 MB here, 2 installed, ")


def test_progress_while_it_loads(bootstrap: ModuleType) -> None:
    installing = bootstrap.Installing()
    assert installing.line(1.0) == "Packages: looking for versions, 1 s"
    for line in UV_SAYS.splitlines():
        installing.heard(line)
    assert installing.line(12.4) == "Packages: 71 packages, 0 of 330 MB here, 12 s"


def test_what_uv_said_is_shown_in_full_when_it_fails(bootstrap: ModuleType, tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(bootstrap.SetupFailed, match="failed with code 3"):
        bootstrap._install(uv(tmp_path, then="echo 'error: no such version' >&2; exit 3"), dict(os.environ), stream)
    assert "error: no such version" in stream.getvalue()
    assert "Downloading apache-flink (330.0MiB)" in stream.getvalue()
