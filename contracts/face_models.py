"""Which cameras identify people, and where all models are to be: what is known before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from contracts.config import Config

BUNDLED = Path(__file__).resolve().parents[1] / "models"


def manifest_path(config: Config, config_file: Path) -> Path:
    """Where the detector's manifest is to be: as the config says, relative to its file, or the bundled one."""
    return (config_file.parent / config.stream.model).resolve() if config.stream.model else BUNDLED / "detector.json"


class FaceManifests(NamedTuple):
    """Where the manifests of the face models are."""

    localiser: Path = BUNDLED / "face-localiser.json"
    embedder: Path = BUNDLED / "face-embedder.json"


def identifying(config: Config) -> frozenset[str]:
    """The cameras of the config that say who people are."""
    return frozenset(name for name, camera in config.cameras.items() if camera.enabled and camera.faces.identify)


def face_manifests(config: Config, folder: Path) -> FaceManifests:
    """Where the face models' manifests are to be: as the config says, from the folder of its file on, or the bundled
    ones."""
    given = {"localiser": config.faces.localiser, "embedder": config.faces.embedder}
    return FaceManifests(**{name: (folder / path).resolve() for name, path in given.items() if path})
