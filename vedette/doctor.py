"""Looks at what Vedette needs of this machine, and says what is wrong and how to mend it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil

from contracts.config import Config
from contracts.config_check import missing_secrets
from contracts.errors import ModelError, VedetteError
from contracts.face_models import identifying
from contracts.manifest import load_manifest, model_bytes
from vault import VaultError, master_key
from vedette import clip, jars
from vedette.camera_check import EXPORT_IT, camera_checks
from vedette.check import GIB, Check, Verdict
from vedette.errors import SetupError
from vedette.java import child_environment, find_java
from vedette.local import own_ports
from vedette.master_file import NAME, key_for

DISK_LEAST, DISK_AMPLE = 2 * GIB, 10 * GIB
"""Frames keep up to 4 GiB a topic of a site; with evidence and checkpoints beside them 10 GiB last."""
MEMORY_LEAST, MEMORY_AMPLE = 1 * GIB, 2 * GIB
"""The whole system with two cameras stays within 2 GiB."""

SET_UP = "Run `make clean setup`."
GPU_MEND = "`pip install vedette[gpu]` for CUDA; it replaces the package onnxruntime."

# What Flink's JVM does to find its Python: it starts `python` from PATH.
ASK_PYTHON = "import json, sys, pemja, pyflink.version as v; print(json.dumps([sys.prefix, v.__version__]))"


@dataclass(frozen=True)
class Scope:
    """What to look at: the state folder, the ports that will be listened on, the models, the config's cameras."""

    state_dir: Path
    ports: tuple[int, ...] = ()
    manifests: tuple[Path, ...] = ()
    config: Config | None = None


def run_checks(scope: Scope) -> list[Check]:
    """Every check, in the order in which mending makes sense."""
    checks: tuple[Callable[[Scope], Check], ...] = (
        _python,
        _libpython,
        _java,
        _flink_python,
        _jars,
        _models,
        _clip,
        _ports,
        _disk,
        _memory,
        _gpu,
    )
    found = [check(scope) for check in checks]
    return (
        found
        if scope.config is None
        else [*found, *_secrets(scope.config), *_master(scope, scope.config), *camera_checks(scope.config, os.environ)]
    )


def print_checks(checks: Sequence[Check], stream: TextIO | None = None) -> int:
    """Write the checks as a table, the mending below what needs it. Returns the exit code: 1 if any failed."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.verdict:<5}{check.name:<{width}}  {check.found}", file=stream)
        if check.mend and check.verdict != "ok":
            print(f"{'':<{width + 5}}  → {check.mend}", file=stream)
    return int(any(check.verdict == "fail" for check in checks))


def _python(_scope: Scope) -> Check:
    release = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Check("python", "ok", f"{release} in {sys.prefix}")
    return Check("python", "fail", f"{release}: Flink's Python takes 3.11 or 3.12", SET_UP)


def _libpython(_scope: Scope) -> Check:
    """Flink runs Python inside its JVM, which needs a libpython that can be loaded."""
    from find_libpython import find_libpython

    if (found := find_libpython()) is not None:
        return Check("libpython", "ok", str(found))
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    mend = (
        f"Debian, Ubuntu: `apt-get install libpython{release}`; pyenv: install again with "
        f"PYTHON_CONFIGURE_OPTS=--enable-shared; or take uv's Python, which has one. Then `make clean setup`."
    )
    return Check("libpython", "fail", f"no shared library of Python {release}", mend)


def _java(_scope: Scope) -> Check:
    try:
        java = find_java()
    except SetupError as error:
        return Check("java", "fail", error.found, error.mend)
    return Check("java", "ok", f"{java.version} from {java.source}: {java.home}")


def _flink_python(_scope: Scope) -> Check:
    """The Python that Flink will find, in the environment that `vedette` gives to what it starts."""
    name = "flink"
    try:
        environment = child_environment(find_java())
    except SetupError:
        return Check(name, "fail", "not tried without Java", "Mend Java first.")
    python = shutil.which("python", path=environment["PATH"])
    if python is None:
        return Check(name, "fail", f"no `python` in {sys.prefix}", SET_UP)
    said = subprocess.run(
        [python, "-W", "ignore", "-c", ASK_PYTHON],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode != 0:
        last = (said.stderr.strip().splitlines() or ["no word"])[-1]
        return Check(name, "fail", f"{python} can't load Flink's Python: {last}", SET_UP)
    prefix, version = json.loads(said.stdout.splitlines()[-1])
    if prefix != sys.prefix:
        return Check(name, "fail", f"`python` is of {prefix}, not of {sys.prefix}", SET_UP)
    active = os.environ.get("VIRTUAL_ENV") == sys.prefix
    note = "" if active else " (environment not activated: `vedette` does that for what it starts)"
    return Check(name, "ok", f"PyFlink {version} and pemja load{note}")


def _jars(_scope: Scope) -> Check:
    if faults := jars.faults():
        return Check("jars", "fail", "; ".join(faults[:3]) + (" …" if len(faults) > 3 else ""), jars.MEND_BY_FETCHING)
    return Check("jars", "ok", f"{len(jars.all_jars())}, each with the sha256 of its lock")


def _models(scope: Scope) -> Check:
    sound = []
    for path in scope.manifests:
        try:
            manifest = load_manifest(path)
            model_bytes(manifest, path.parent)
        except ModelError as error:
            return Check("models", "fail", str(error), "Get the file that the manifest names, or a manifest that fits.")
        sound.append(manifest.id)
    return Check("models", "ok", ", ".join(sound) or "none to look at")


def _clip(_scope: Scope) -> Check:
    try:
        found = clip.available_clip()
    except VedetteError as error:
        return Check("demo clip", "fail", str(error), "Mend VEDETTE_DEMO_CLIP or unset it.")
    if found is None:
        return Check(
            "demo clip", "warn", "not here yet", "`make demo` fetches it, or name a video in VEDETTE_DEMO_CLIP."
        )
    return Check("demo clip", "ok", str(found))


def _ports(scope: Scope) -> Check:
    """Those that the config names; port 0 stands for any, which the broker takes."""
    own = own_ports(scope.state_dir)
    ours = [port for port in scope.ports if port in own]
    for port in [port for port in scope.ports if port not in own] or (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                mend = "End what listens there (`ss -ltnp`), or name another port in the config."
                return Check("ports", "fail", f"127.0.0.1:{port}: {error.strerror}", mend)
    free = [port for port in scope.ports if port not in own]
    said = [f"free: {', '.join(map(str, free))}"] if free else []
    if ours:
        said.append(f"the Vedette that runs on {scope.state_dir} has {', '.join(map(str, ours))}")
    return Check("ports", "ok", "; ".join(said) or "any free one is taken")


def _secrets(config: Config) -> list[Check]:
    """Those that are not set beside the cameras', which are named where the cameras are opened."""
    missing = missing_secrets(config, os.environ)
    return [Check(one.path, "fail", str(one), EXPORT_IT) for one in missing if not one.path.startswith("cameras.")]


def _master(scope: Scope, config: Config) -> list[Check]:
    """The key under which all is sealed that is known of people, where anybody is identified."""
    name, cameras = "master key", ", ".join(sorted(identifying(config)))
    try:
        given = master_key(os.environ) is not None
        key_for(scope.state_dir, os.environ, lambda _: None, needed=False)
    except VaultError as error:
        return [Check(name, "fail", str(error), "Mend it; another key than before reads nothing of before.")]
    if not cameras:
        return []
    if given:
        return [Check(name, "ok", f"from the environment, for {cameras}")]
    file = scope.state_dir / NAME
    if file.exists():
        return [Check(name, "ok", f"{file}, for {cameras}")]
    return [Check(name, "ok", f"none yet for {cameras}: `vedette up` makes {file}")]


def _disk(scope: Scope) -> Check:
    """The file system that will hold the state; its folder may not be there yet."""
    folder = scope.state_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return Check("disk", "fail", f"{folder} can't be written", "Name another state folder.")
    free = shutil.disk_usage(folder).free
    return _amount(
        "disk", free, DISK_LEAST, DISK_AMPLE, f"free under {folder}", "Make room, or name another state folder."
    )


def _memory(_scope: Scope) -> Check:
    free = psutil.virtual_memory().available
    return _amount(
        "memory", free, MEMORY_LEAST, MEMORY_AMPLE, "available", "Close other programs; fewer cameras need less."
    )


def _amount(name: str, count: int, least: int, ample: int, where: str, mend: str) -> Check:
    verdict: Verdict = "ok" if count >= ample else "warn" if count >= least else "fail"
    return Check(name, verdict, f"{count / GIB:.1f} GiB {where}; {ample // GIB} GiB are ample", mend)


def _gpu(_scope: Scope) -> Check:
    """Whether detection can run on a GPU; that it can't is worth a word only where there is one."""
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    if fast := [name for name in providers if name in {"CUDA", "Tensorrt", "CoreML", "ROCM"}]:
        return Check("gpu", "ok", f"onnxruntime has {', '.join(fast)}")
    if Path("/dev/nvidia0").exists():
        return Check("gpu", "warn", "an NVIDIA GPU that onnxruntime can't use", GPU_MEND)
    return Check("gpu", "ok", "none: detection runs on the CPU")
