"""Does what a Dockerfile says, step by step, in clean root file systems: there need be no Docker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.images.dockerfile import Stage, Step, filled, read
from tests.images.root import Root, Run

PROJECT = Path(__file__).parents[2]
START_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SAYS_NOTHING = ("EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD")
"""What the build does nothing for; `start.py` reads them."""


@dataclass
class Image:
    """A root as far as it is built, and what its programs are started with."""

    root: Root
    env: dict[str, str] = field(default_factory=lambda: {"PATH": START_PATH, "HOME": "/root"})
    user: str = "0"
    folder: str = "/"
    shell: tuple[str, ...] = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Kitchen:
    """Where things are built: stages in `work`, cache mounts in `caches`; `bases` makes the image of a FROM."""

    work: Path
    caches: Path
    bases: Callable[[str], Image]
    arguments: Mapping[str, str]
    say: Callable[[str], None]


def build(file: Path, kitchen: Kitchen) -> tuple[Image, Stage]:
    """The last stage's image and what the file says of it. Raises CalledProcessError where a step fails."""
    stages = read(file, kitchen.arguments)
    kitchen.work.mkdir(parents=True, exist_ok=True)
    images: dict[str, Image] = {}
    for number, stage in enumerate(stages):
        name = stage.name or ("image" if stage is stages[-1] else str(number))
        base = kitchen.bases(stage.base)
        image = Image(base.root.copy(kitchen.work / f"{file.stem}.{name}"), dict(base.env), base.user)
        images[name] = image
        for step in stage.steps:
            kitchen.say(f"{file.name} {name}: {step.name} {step.text[:90]}")
            _do(step, image, images, kitchen)
    for name in images.keys() - {"image"}:
        shutil.rmtree(images[name].root.path)
    return images["image"], stages[-1]


def _do(step: Step, image: Image, images: Mapping[str, Image], kitchen: Kitchen) -> None:
    match step.name:
        case "ARG":
            name, _, default = step.text.partition("=")
            image.env[name] = kitchen.arguments.get(name, default)
        case "ENV":
            image.env |= step.pairs(image.env)
        case "USER":
            image.user = filled(step.text, image.env)
        case "WORKDIR":
            image.folder = step.text
            image.root.inside(step.text).mkdir(parents=True, exist_ok=True)
        case "SHELL":
            image.shell = step.words()
        case "COPY":
            source = step.flag("from")
            _copy(step, image, images[source].root if source else None)
        case "RUN":
            image.root.build(
                Run(step.words(image.shell), image.user, image.folder, image.env, _cache_mounts(step, kitchen.caches))
            )
        case other:
            assert other in SAYS_NOTHING, f"{other} is not known here"


def _copy(step: Step, image: Image, source: Root | None) -> None:
    """Folders give what is in them, as Docker's COPY has it."""
    *sources, place = step.text.split()
    target = image.root.inside(str(Path(image.folder) / place))
    if source is None:
        assert sources == ["."], "of the project everything is copied that .dockerignore lets through"
        _copy_context(target)
        return
    for pattern in sources:
        found = sorted(source.path.glob(pattern.lstrip("/")))
        assert found, f"nothing is {pattern}"
        for one in found:
            (target if one.is_dir() else target.parent).mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", f"{one}/." if one.is_dir() else str(one), str(target)], check=True)


def _copy_context(target: Path) -> None:
    for name in context():
        path = PROJECT / name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, target / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(path, target / name)


def context() -> tuple[str, ...]:
    """What .dockerignore lets through: it shuts everything out and names what comes in."""
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    first, *others = lines
    assert first == "*"
    return tuple(line[1:] for line in others if line.startswith("!"))


def _cache_mounts(step: Step, caches: Path) -> dict[Path, str]:
    mounts = {}
    for key, value in step.flags:
        options = dict(option.split("=", 1) for option in value.split(","))
        assert key == "mount"
        assert options["type"] == "cache"
        folder = caches / options["target"].strip("/").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        mounts[folder] = options["target"]
    return mounts
