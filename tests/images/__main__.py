"""Builds the images of deploy/images without Docker, starts what runs in them: `python -m tests.images [IMAGE ...]`.

Each Dockerfile is read and done step by step in a clean Debian (Flink's own image is stood in for by Debian, OpenJDK 17
and the wheel's Flink), then each program is started as a cluster starts it: as the file's user, read-only, without
rights, without a network, beside a real broker. Needs root, Debian's debootstrap and util-linux.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.images.bases import base_of
from tests.images.build import PROJECT, Image, Kitchen, build
from tests.images.dockerfile import Stage, read
from tests.images.start import Site, StartError, came_up_s, programs, without_network

FILES = PROJECT / "deploy" / "images"
IMAGES = tuple(sorted(file.stem for file in FILES.glob("*.Dockerfile")))
VARIANTS = {"stream-cuda": ("stream", {"RUNTIME": "gpu"})}
"""Images that a file makes with other arguments."""
FOLDER = PROJECT / "build" / "images"


def main(arguments: list[str] | None = None) -> int:
    """0: all were built and everything came up; 1: the last lines say what did not."""
    given = _parser().parse_args(arguments)
    made = {name: _built(name) for name in given.images}
    without_network()
    for name, (image, _) in made.items():
        print(f"{name}: {_megabytes(image.root.path)} MB over the base's {_base_megabytes(name)}, user {image.user}")
    failed = [fault for name, (image, stage) in made.items() for fault in _started(name, image, stage)]
    print("\n".join(failed) or "every program came up, answered its probe and ended when it was told to")
    return 1 if failed else 0


def _built(name: str) -> tuple[Image, Stage]:
    file, arguments = VARIANTS.get(name, (name, {}))
    kitchen = Kitchen(
        FOLDER / "work" / name, FOLDER / "caches", lambda base: base_of(base, FOLDER / "bases"), arguments, say
    )
    return build(FILES / f"{file}.Dockerfile", kitchen)


def _started(name: str, image: Image, stage: Stage) -> list[str]:
    failed = []
    with tempfile.TemporaryDirectory(prefix="vedette-images-") as folder:
        Path(folder).chmod(0o755)
        with Site(Path(folder)) as site:
            for program in programs(name, stage):
                try:
                    say(f"{name}: {program.name}: {came_up_s(image, program, site):.1f} s")
                except StartError as error:
                    failed.append(f"{name}: {error}")
                    say(f"{name}: {program.name}: FAILED")
    return failed


def _megabytes(folder: Path) -> int:
    said = subprocess.run(["du", "-sm", "--one-file-system", folder], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[0])


def _base_megabytes(name: str) -> int:
    file, arguments = VARIANTS.get(name, (name, {}))
    *_, stage = read(FILES / f"{file}.Dockerfile", arguments)
    return _megabytes(base_of(stage.base, FOLDER / "bases").root.path)


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.images", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", choices=[*IMAGES, *VARIANTS, []], default=["edge", "console", "stream"])
    return parser


if __name__ == "__main__":
    missing = [tool for tool in ("debootstrap", "unshare", "setpriv", "ip") if not shutil.which(tool)]
    sys.exit(f"missing: {', '.join(missing)}" if missing else main())
