"""Each thing that can be wrong is found, named and given its mending."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import find_libpython
import onnxruntime
import psutil
import pytest

from contracts.config_file import parse
from tests.edge_tools import write_clip
from vedette import doctor, jars
from vedette.camera_check import camera_checks
from vedette.check import GIB, Check, Verdict
from vedette.doctor import Scope, print_checks, run_checks
from vedette.errors import SetupError


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def check(scope: Scope, name: str) -> Check:
    return next(found for found in run_checks(scope) if found.name == name)


def test_this_environment_has_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make setup` made it, so nothing may fail but what it doesn't bring."""
    monkeypatch.delenv("VEDETTE_DEMO_CLIP", raising=False)
    checks = run_checks(Scope(tmp_path / "state"))
    assert [found for found in checks if found.verdict == "fail"] == []
    assert [found.name for found in checks if found.name != "demo clip" and found.verdict == "warn"] == []


def test_no_java_fails_and_so_does_flink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_found() -> None:
        raise SetupError("No Java 17 or 21", "Get one.")

    monkeypatch.setattr(doctor, "find_java", none_found)
    assert check(Scope(tmp_path), "java") == Check("java", "fail", "No Java 17 or 21", "Get one.")
    assert check(Scope(tmp_path), "flink").verdict == "fail"


def test_no_libpython(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    found = check(Scope(tmp_path), "libpython")
    assert found.verdict == "fail"
    assert "apt-get install libpython3" in found.mend


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo \"ModuleNotFoundError: No module named 'pemja'\" >&2; exit 1", "No module named 'pemja'"),  # not there
        ("exit 1", "no word"),  # dies silently
        ('echo \'["/usr", "2.3.0"]\'', "`python` is of /usr"),  # another environment's
    ],
)
def test_flinks_python_is_tried_as_flink_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(doctor, "child_environment", lambda _java: {"PATH": str(tmp_path)})
    found = check(Scope(tmp_path), "flink")
    assert found.verdict == "fail"
    assert words in found.found


def test_broken_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "faults", lambda: [f"{letter}.jar is missing" for letter in "abcde"])
    found = check(Scope(tmp_path), "jars")
    assert (found.verdict, found.found) == ("fail", "a.jar is missing; b.jar is missing; c.jar is missing …")


def test_taken_port(tmp_path: Path, taken_port: int) -> None:
    found = check(Scope(tmp_path, ports=(taken_port,)), "ports")
    assert found.verdict == "fail"
    assert str(taken_port) in found.found


def test_model_that_is_not_what_its_manifest_says(tmp_path: Path) -> None:
    manifest = {
        "name": "nano",
        "version": "1",
        "task": "detector",
        "file": "nano.onnx",
        "sha256": "0" * 64,
        "input": {"name": "images", "width": 416, "height": 416},
        "labels": ["person"],
        "provenance": {"licence": "Apache-2.0"},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))
    (tmp_path / "nano.onnx").write_bytes(b"other weights")
    found = check(Scope(tmp_path, manifests=(path,)), "models")
    assert found.verdict == "fail"
    assert "nano@1" in found.found
    assert "sha256" in found.found


def test_clip_that_was_named_but_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_DEMO_CLIP", str(tmp_path / "gone.mp4"))
    assert check(Scope(tmp_path), "demo clip").verdict == "fail"


@pytest.mark.parametrize(
    ("available", "verdict"),
    [
        (8 * GIB, "ok"),
        (2 * GIB, "ok"),  # what the whole system needs
        (2 * GIB - 1, "warn"),  # it will swap
        (GIB - 1, "fail"),  # Java alone takes that
    ],
)
def test_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int, verdict: Verdict) -> None:
    class Memory:
        pass

    memory = Memory()
    memory.available = available  # type: ignore[attr-defined]
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert check(Scope(tmp_path), "memory").verdict == verdict


@pytest.mark.parametrize(
    ("providers", "words"),
    [
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], "Tensorrt, CUDA"),
        (["AzureExecutionProvider", "CPUExecutionProvider"], "CPU"),  # the package for the CPU lists Azure too
    ],
)
def test_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, providers: list[str], words: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    assert words in check(Scope(tmp_path), "gpu").found


def test_table_shows_the_mending_of_what_needs_it() -> None:
    table = io.StringIO()
    good, bad = Check("java", "ok", "17", "unused"), Check("libpython", "fail", "none", "Get one.")
    assert print_checks([good, bad], table) == 1
    assert table.getvalue().splitlines() == [
        "ok   java       17",
        "fail libpython  none",
        "                → Get one.",
    ]
    assert print_checks([good, Check("demo clip", "warn", "not here", "Later.")], io.StringIO()) == 0


def test_each_input_of_the_config_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that is there, one that is not, and a host where nobody listens: with the reason, without the password."""
    monkeypatch.setenv("GATE_PASSWORD", "hu/sh")
    there = write_clip(tmp_path / "there.avi", 2)
    urls = {"there": str(there), "gone": str(tmp_path / "gone.avi"), "deaf": "rtsp://a:{GATE_PASSWORD}@127.0.0.1:9/1"}
    urls["path"], urls["user"] = "http://127.0.0.1:9/{GATE_PASSWORD}/video", "rtsp://{GATE_PASSWORD}@127.0.0.1:9"
    urls["odd"], urls["file"] = "rtsp://127.0.0.1:9/password={GATE_PASSWORD}_1", "file:///gone/{GATE_PASSWORD}"
    cameras = {name: {"inputs": [{"url": url}]} for name, url in urls.items()}
    config = parse(json.dumps({"cameras": cameras}))
    found = {one.name: one for one in camera_checks(config, os.environ)}
    assert found["cameras.there.inputs[0]"] == Check("cameras.there.inputs[0]", "ok", "320x240")
    assert (found["cameras.gone.inputs[0]"].verdict, found["cameras.deaf.inputs[0]"].verdict) == ("fail", "fail")
    assert "there is no file" in found["cameras.gone.inputs[0]"].found
    assert [found[f"cameras.{name}.inputs[0]"].found for name in ("deaf", "path", "user", "odd", "file")] == [
        "rtsp://a:***@127.0.0.1:9/1 can't be opened",
        "http://127.0.0.1:9/***/video can't be opened",
        "rtsp://***@127.0.0.1:9 can't be opened",
        "rtsp://127.0.0.1:9/password=***_1 can't be opened",
        "there is no file /gone/***",
    ]


def test_ports_of_the_vedette_that_runs_here_are_its_own(tmp_path: Path) -> None:
    """This process stands for its broker; the same port is a fault where the state is another's."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        (tmp_path / "kafka").mkdir()
        (tmp_path / "run").mkdir()
        me = psutil.Process()
        (tmp_path / "kafka" / "broker.pid").write_text(json.dumps({"pid": me.pid, "created": me.create_time()}))
        (tmp_path / "run" / "children.json").write_text("[]")
        check = doctor._ports(doctor.Scope(tmp_path, (port,)))
        assert check.verdict == "ok"
        assert f"the Vedette that runs on {tmp_path} has {port}" in check.found
        assert doctor._ports(doctor.Scope(tmp_path / "other", (port,))).verdict == "fail"
