"""Which cameras identify people, and where the face models are to be: what is known before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from contracts.config import Config

BUNDLED = Path(__file__).resolve().parents[2] / "models"


class FaceManifests(NamedTuple):
    """Where the manifests of the face models are."""

    localiser: Path
    embedder: Path


def identifying(config: Config) -> frozenset[str]:
    """The cameras of the config that say who people are."""
    return frozenset(name for name, camera in config.cameras.items() if camera.enabled and camera.faces.identify)


def face_manifests(config: Config, config_file: Path) -> FaceManifests:
    """Where the face models' manifests are to be: as the config says, relative to its file, or the bundled ones."""
    given = {"localiser": config.faces.localiser, "embedder": config.faces.embedder}
    return FaceManifests(
        **{
            name: (config_file.parent / path).resolve() if path else BUNDLED / f"face-{name}.json"
            for name, path in given.items()
        }
    )
