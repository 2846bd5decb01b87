"""Where the jobs take models from, and which of them they trust."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from contracts.config import Models
from contracts.errors import ModelError, VedetteError
from contracts.face_models import BUNDLED
from contracts.manifest import ModelManifest, load_manifest, model_bytes
from stream.jobs.clock import now_ms


def _cache() -> str:
    """What is fetched is held against its sha256 whenever it is opened, so it may lie where others can write."""
    return str(Path(tempfile.gettempdir()) / "vedette-models")


@dataclass(frozen=True)
class ModelSource:
    """The registry and the trusted keys of the config; what is fetched lies in `cache`."""

    models: Models = field(default_factory=Models)
    cache: str = ""

    def starting(self, manifest_file: Path) -> ModelManifest:
        """The model to start with; raises ModelError for a file that is another, or that nobody trusted vouches for.

        What came with Vedette needs no signature: who can change it can change this check.
        """
        manifest = load_manifest(manifest_file)
        model_bytes(manifest, manifest_file.parent)
        if manifest_file.resolve().parent != BUNDLED:
            self._check(manifest)
        return manifest

    def folder_of(self, manifest: ModelManifest, folder: str) -> Path:
        """Where a promoted model is: `folder`, or where that is empty, where it is fetched to from the registry.

        Raises ModelError for a manifest that nobody trusted vouches for, and where nothing can be fetched.
        """
        self._check(manifest)
        if folder:
            return Path(folder)
        from archive.registry import registry_of  # its libraries only where there is a registry

        registry = registry_of(self.models, now_ms)
        if registry is None:
            raise ModelError(f"{manifest.id}: is in a registry, and models.folder or models.s3 doesn't say in which")
        try:
            kept, fetched = registry.fetch(manifest.id, Path(self.cache or _cache()))
        except ModelError:
            raise
        except (VedetteError, OSError) as error:
            raise ModelError(f"{manifest.id}: can't be fetched: {error}") from error
        if kept != manifest:
            raise ModelError(f"{manifest.id}: the registry's manifest is another than the one that was promoted")
        return fetched

    def _check(self, manifest: ModelManifest) -> None:
        if not (self.models.signed_only or self.models.trusted_keys):
            return  # without the libraries of signatures
        from archive.registry import check_signature, trusted_keys

        check_signature(manifest, trusted_keys(self.models))
