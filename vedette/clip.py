"""Gets the demo clip, OpenCV's sample `vtest.avi`: 795 pictures of 768x576, 79.5 s of people crossing a yard."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from vedette.errors import SetupError
from vedette.files import Progress, cache_dir, place

SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
URL = "https://raw.githubusercontent.com/opencv/opencv/4.11.0/samples/data/vtest.avi"
DEBIAN_PACKAGE = "opencv-doc"
INSTALLED = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
CONNECT_TIMEOUT_S = 15
APT_TIMEOUT_S = 600
MEND = (
    f"Do one of these: get {URL} by other means and name the file in VEDETTE_DEMO_CLIP (any video will do); "
    f"or install Debian's or Ubuntu's package {DEBIAN_PACKAGE}; or check the connection and try again."
)


def cached_clip() -> Path:
    """Where the clip is kept once it was fetched."""
    return cache_dir() / "clips" / "vtest.avi"


def available_clip(given: Path | None = None) -> Path | None:
    """The clip if it is on this machine: as `given`, named by VEDETTE_DEMO_CLIP, or fetched before.

    Raises SetupError when a named file does not exist.
    """
    named = given or (Path(text).expanduser() if (text := os.environ.get("VEDETTE_DEMO_CLIP")) else None)
    if named is not None:
        if not named.is_file():
            raise SetupError(
                f"The demo clip {named} does not exist", "Name a video file, or nothing to have it fetched."
            )
        return named
    return cached_clip() if cached_clip().is_file() else None


def demo_clip(given: Path | None = None) -> Path:
    """The demo clip, fetched if need be: out of the installed package, from GitHub, or out of Debian's package.

    Raises SetupError that tells what failed and which ways there are.
    """
    if (available := available_clip(given)) is not None:
        return available
    failures = []
    for way in (_installed, _from_github, _from_debian):
        with tempfile.TemporaryDirectory(prefix="vedette-clip-") as folder:
            try:
                return place(way(Path(folder)), cached_clip(), SHA256)
            except (OSError, http.client.HTTPException, subprocess.SubprocessError, SetupError) as error:
                failures.append(f"{way.__name__.strip('_').replace('_', ' ')}: {_words(error)}")
    raise SetupError(f"The demo clip can't be had ({'; '.join(failures)})", MEND)


def _installed(_folder: Path) -> Path:
    if not INSTALLED.is_file():
        raise FileNotFoundError(f"no {INSTALLED}")
    return INSTALLED


def _from_github(folder: Path) -> Path:
    progress = Progress("Demo clip")
    target = folder / "vtest.avi"
    with urllib.request.urlopen(URL, timeout=CONNECT_TIMEOUT_S) as answer, target.open("wb") as file:
        while part := answer.read(64 * 1024):
            file.write(part)
            progress.received(len(part))
    progress.file_done(1)
    return target


def _from_debian(folder: Path) -> Path:
    """Without root: apt only downloads, and its package lists are fetched into `folder` if the machine has none."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FileNotFoundError("no apt-get and dpkg-deb here")
    print(f"Demo clip: taking Debian's package {DEBIAN_PACKAGE} (96 MB) instead of GitHub", file=sys.stderr)
    try:
        _apt(folder, "download", DEBIAN_PACKAGE)
    except subprocess.CalledProcessError:
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder}")
        _apt(folder, *own, "update")
        _apt(folder, *own, "download", DEBIAN_PACKAGE)
    (package,) = folder.glob(f"{DEBIAN_PACKAGE}_*.deb")
    return _unpack(package, folder)


def _apt(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["apt-get", "-q", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=APT_TIMEOUT_S
    )


def _unpack(package: Path, folder: Path) -> Path:
    """The one file that is wanted, out of the package's archive as it streams by."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacker:
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and member.name.removeprefix(".") == str(INSTALLED):
                    archive.extract(member, folder, filter="data")
                    break
        unpacker.kill()
    found = folder / INSTALLED.relative_to("/")
    if not found.is_file():
        raise FileNotFoundError(f"no {INSTALLED} in {package.name}")
    return found


def _words(error: Exception) -> str:
    """The error in one line, with what apt said."""
    said = getattr(error, "stderr", None)
    return " ".join(str(said or error).split())[:300]
