"""Where face models are, and who looks for people: one answer for jobs, archive, console and command."""

from __future__ import annotations

from pathlib import Path

from contracts.config_file import parse
from contracts.face_models import BUNDLED, FaceManifests, face_manifests, identifying
from tests.console_process import CONFIG


def test_manifests_are_relative_to_the_configs_file_whatever_the_working_directory() -> None:
    config = parse(CONFIG + "\nfaces: {embedder: models/mine.json}\n")
    found = face_manifests(config, Path("/etc/vedette"))
    assert found == (BUNDLED / "face-localiser.json", Path("/etc/vedette/models/mine.json"))
    away = parse(CONFIG + "\nfaces: {localiser: /models/theirs.json}\n")
    assert face_manifests(away, Path()).localiser == Path("/models/theirs.json")


def test_the_bundled_ones_are_there() -> None:
    assert face_manifests(parse(CONFIG), Path()) == FaceManifests()
    assert all(path.is_file() for path in FaceManifests())


def test_a_camera_that_is_off_identifies_nobody() -> None:
    assert identifying(parse(CONFIG)) == frozenset()
