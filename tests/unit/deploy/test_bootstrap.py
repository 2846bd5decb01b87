"""Set-up takes a Python that fits, and says what to do where there is none."""

from __future__ import annotations

import importlib.util
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
