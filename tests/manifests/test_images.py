"""The images' files: linted, never root, and of the packages that the wheel has."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.images.build import context
from tests.images.dockerfile import read
from tests.images.imports import brought, imported
from tests.manifests.overlays import OVERLAYS, built, containers

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy" / "images").glob("*.Dockerfile"))

ARCHIVE = ("evidence", "history", "preview", "explain")

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


@pytest.mark.parametrize(
    ("image", "programs"),
    [
        ("edge", ("edge.__main__", "edge.enrol")),
        ("console", ("console.__main__", "console.signer.__main__", *(f"archive.{one}.__main__" for one in ARCHIVE))),
        ("stream", ("stream.jobs.cluster", "bus.__main__")),
        ("training", ("training.__main__", "vedette.cli", "vedette.learn")),
    ],
)
def test_its_extras_bring_what_its_programs_import(image: str, programs: tuple[str, ...]) -> None:
    """`make images` starts them for real; this says in a second what a new import has made of that."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.search(r'"\.\[([\w,]+)\]"', (ROOT / "deploy" / "images" / f"{image}.Dockerfile").read_text())
    assert extras is not None
    named = [one for extra in extras[1].split(",") for one in project["optional-dependencies"][extra]]
    there, of = brought([*project["dependencies"], *named]), packages_distributions()
    needed = {name: {canonicalize_name(one) for one in of.get(name, [name])} for name in imported(ROOT, programs)}
    assert len(needed) >= 4
    assert {name: dists for name, dists in needed.items() if not dists & there} == {}


def test_every_image_of_the_manifests_has_a_file() -> None:
    images = {f"vedette/{file.stem}" for file in FILES} | {"vedette/stream-cuda"}
    for overlay in OVERLAYS:
        for one in built(overlay):
            named = [one["spec"]["image"]] if one["kind"] == "FlinkDeployment" else []
            named += [container["image"] for container in containers(one) if "image" in container]
            assert {image.partition(":")[0] for image in named} <= images
