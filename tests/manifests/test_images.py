"""The images' files: linted, never root, and of the packages that the wheel has."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.images.build import context
from tests.images.dockerfile import read
from tests.manifests.overlays import OVERLAYS, built, containers

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy" / "images").glob("*.Dockerfile"))

every_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


@every_file
def test_the_linter_finds_nothing(file: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@every_file
def test_nobody_in_it_is_root(file: Path) -> None:
    *_, last = read(file, {})
    user = last.last("USER")
    assert user is not None
    assert user.text in ("10001", "9999")


def test_what_is_built_from_has_every_package_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {*packages, "models", "pyproject.toml", "constraints.txt", project["project"]["readme"]}
    assert needed <= set(context())


@every_file
def test_its_extras_are_those_of_the_project(file: Path) -> None:
    extras = re.search(r'"\.\[([\w,]+)\]"', file.read_text())
    assert extras is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(extras[1].split(",")) <= set(project["project"]["optional-dependencies"])


def test_every_image_of_the_manifests_has_a_file() -> None:
    images = {f"vedette/{file.stem}" for file in FILES} | {"vedette/stream-cuda"}
    for overlay in OVERLAYS:
        for one in built(overlay):
            named = [one["spec"]["image"]] if one["kind"] == "FlinkDeployment" else []
            named += [container["image"] for container in containers(one) if "image" in container]
            assert {image.partition(":")[0] for image in named} <= images
