"""The files of a model by its id: the config's, a bundled one, or one that the registry has."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from archive.registry import registry_of
from contracts.config import Models
from contracts.errors import ModelError, VedetteError
from contracts.manifest import ModelManifest, load_manifest

BUNDLED = Path(__file__).resolve().parents[2] / "models"


def model_of(model: str, manifest: str, models: Models) -> tuple[ModelManifest, Path]:
    """Manifest and folder of `model` (name@version); raises ModelError where nobody has it."""
    for file in _candidates(manifest):
        found = load_manifest(file)
        if found.id == model:
            return found, file.parent
    registry = registry_of(models, lambda: time.time_ns() // 1_000_000)
    if registry is None:
        raise ModelError(f"{model} is not here any more: it is neither the config's nor a bundled one")
    try:
        return registry.fetch(model, Path(tempfile.gettempdir()) / "vedette-models")
    except (VedetteError, OSError) as error:
        raise ModelError(f"{model} can't be had: {error}") from error


def _candidates(manifest: str) -> Iterable[Path]:
    if manifest:
        yield Path(manifest)
    yield from sorted(BUNDLED.glob("*.json"))
