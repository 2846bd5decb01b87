"""The agent on arm64, on a machine that is none: `python -m tests.images.arm64`.

Debian's arm64 packages and the pinned wheels for linux-aarch64, unpacked into folders, and the agent started by
qemu-aarch64 (Debian's qemu-user-static): it says what is wrong with a config, captures, spools without a broker, serves
its metrics and ends when it is told to. Needs debootstrap and, for it, root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

from tests.bench.site import Scrape, free_port
from tests.edge_tools import write_clip
from tests.images.build import PROJECT

FOLDER = PROJECT / "build" / "images" / "arm64"
QEMU = "qemu-aarch64-static"
PLATFORM = ("--python-version=3.11", "--python-platform=aarch64-manylinux_2_28")
PATIENCE_S = 180.0


def main() -> int:
    """0: it did all of that; 1: the last line says what it did not."""
    root, packages = _root(FOLDER / "root"), _packages(FOLDER / "packages")
    with tempfile.TemporaryDirectory(prefix="vedette-arm64-") as made:
        folder = Path(made)
        port = free_port()
        camera = {"inputs": [{"url": str(write_clip(folder / "clip.avi", 40)), "loop": True}]}
        site = {"site": {"name": "arm"}, "edge": {"metrics_port": port}, "cameras": {"gate": camera}}
        (folder / "site.yaml").write_text(yaml.safe_dump(site))
        (folder / "wrong.yaml").write_text("cameraz: {}\n")
        wrong = subprocess.run(_agent(root, packages, folder, "wrong.yaml"), check=False).returncode
        print(f"its word on a wrong config: code {wrong} (2 is meant)")
        with subprocess.Popen(_agent(root, packages, folder, "site.yaml")) as agent:
            spooled, took_s = _frames_spooled(port)
            print(f"{spooled:.0f} frames captured and spooled {took_s:.0f} s after its start")
            agent.send_signal(signal.SIGTERM)
            code = agent.wait(60)
            print(f"told to end: code {code} (0 is meant)")
    return 0 if (wrong, code) == (2, 0) and spooled else 1


def _root(path: Path) -> Path:
    """Debian's arm64 packages, unpacked but not set up: nothing of another machine runs for that."""
    if not path.is_dir():
        unfinished = path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", "--include=python3", "bookworm"]
        subprocess.run([*command, str(unfinished)], check=True, stdout=subprocess.DEVNULL)
        for package in (unfinished / "var" / "cache" / "apt" / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", str(package), str(unfinished)], check=True)
        unfinished.rename(path)
    return path


def _packages(path: Path) -> Path:
    """The wheels of the image's extra for linux-aarch64, each as pinned, and ours; what has no wheel fails here."""
    shutil.rmtree(path, ignore_errors=True)
    uv, pins = (sys.executable, "-m", "uv", "pip"), PROJECT / "constraints.txt"
    wanted = FOLDER / "requirements.txt"
    wheels = ("--only-binary=:all:", *PLATFORM)
    compiled = (
        "compile",
        "pyproject.toml",
        "--extra=edge",
        f"--constraint={pins}",
        f"--output-file={wanted}",
        "--quiet",
    )
    subprocess.run([*uv, *compiled, *wheels], cwd=PROJECT, check=True)
    subprocess.run([*uv, "install", "--quiet", f"--target={path}", *wheels, f"--requirement={wanted}"], check=True)
    subprocess.run([*uv, "install", "--quiet", f"--target={path}", "--no-deps", str(PROJECT)], check=True)
    print(f"{sum('==' in line for line in wanted.read_text().splitlines())} pinned wheels for linux-aarch64")
    return path


def _agent(root: Path, packages: Path, folder: Path, config: str) -> list[str]:
    environment = {"PYTHONHOME": root / "usr", "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": 1}
    environment["LD_LIBRARY_PATH"] = root / "usr" / "lib" / "aarch64-linux-gnu"
    given = [word for name, value in environment.items() for word in ("-E", f"{name}={value}")]
    program = [str(root / "usr" / "bin" / "python3.11"), "-m", "edge", f"--config={folder / config}"]
    return [QEMU, "-L", str(root), *given, *program, f"--state={folder / 'state'}", "--bootstrap=127.0.0.1:9"]


def _frames_spooled(port: int) -> tuple[float, float]:
    """How many, and after how many seconds; 0 where none came."""
    began_s = time.monotonic()
    while (took_s := time.monotonic() - began_s) < PATIENCE_S:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                found = Scrape(answer.read().decode()).total("vedette_frames_spooled_total")
        except OSError:
            found = 0.0
        if found:
            return found, took_s
        time.sleep(1)
    return 0.0, PATIENCE_S


if __name__ == "__main__":
    os.chdir(tempfile.gettempdir())  # no package of the checkout is to be found beside those for arm64
    missing = [tool for tool in ("debootstrap", "dpkg-deb", QEMU) if not shutil.which(tool)]
    sys.exit(f"missing: {', '.join(missing)}" if missing else main())
