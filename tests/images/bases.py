"""What stands in for the images that ours begin with: Debian's own packages, and Flink as the wheel brings it."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pyflink
from jgo.maven import MavenContext, PythonResolver
from pyflink.version import __version__ as FLINK_VERSION

from tests.images.build import START_PATH, Image
from tests.images.root import Root, Run, debootstrapped

PYTHON = ("python3", "python3-venv", "ca-certificates")
FLINK = (*PYTHON, "libpython3.11", "openjdk-17-jre-headless")
FLINK_USER = 9999
WHEEL = Path(pyflink.__file__).parent


def base_of(name: str, folder: Path) -> Image:
    """The image of a FROM; made at the first call, kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if re.match(r"python:3\.11-slim-bookworm", name):
        return Image(_python(folder / "python"))
    if re.match(rf"flink:{re.escape(FLINK_VERSION)}-.*java17", name):
        return Image(_flink(folder / "flink"), {"PATH": START_PATH, "HOME": "/root", **FLINK_ENV})
    raise AssertionError(f"nothing stands in for {name}")


FLINK_ENV = {"FLINK_HOME": "/opt/flink", "JAVA_HOME": "/usr/lib/jvm/java-17-openjdk-amd64"}


def _python(path: Path) -> Root:
    root = debootstrapped(path, PYTHON)
    for name in ("python", "python3", "python3.11"):
        link = root.inside(f"/usr/local/bin/{name}")
        link.unlink(missing_ok=True)
        link.symlink_to("/usr/bin/python3.11")
    return root


def _flink(path: Path) -> Root:
    """Folders as the official image has them. Its distribution has the S3 file system, which the wheel leaves out."""
    root = debootstrapped(path, FLINK)
    home = root.inside(FLINK_ENV["FLINK_HOME"])
    if not home.is_dir():
        unfinished = home.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for name in ("bin", "conf", "lib", "opt"):
            shutil.copytree(WHEEL / name, unfinished / name)
        with tempfile.TemporaryDirectory(prefix="vedette-image-") as folder:
            shutil.copy(_from_maven("flink-s3-fs-presto", Path(folder)), unfinished / "opt")
        for name in ("log", "plugins"):
            (unfinished / name).mkdir()
        root.build(Run(("useradd", f"--uid={FLINK_USER}", "--home-dir=/opt/flink", "flink"), env={"PATH": START_PATH}))
        for each in (unfinished, *unfinished.rglob("*")):
            shutil.chown(each, FLINK_USER, FLINK_USER)
        unfinished.rename(home)
    return root


def _from_maven(artifact: str, folder: Path) -> Path:
    """A jar of Flink's own version, in a folder that the caller owns."""
    context = MavenContext(repo_cache=folder, resolver=PythonResolver())
    return Path(context.project("org.apache.flink", artifact).at_version(FLINK_VERSION).artifact().resolve())
