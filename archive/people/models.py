"""The face models, opened at their first use: a console that enrols nobody never loads them."""

from __future__ import annotations

import threading

from contracts.face_models import FaceManifests
from contracts.manifest import ModelManifest, load_manifest
from stream.identity import Calibration, Cohort, calibration_of, cohort_of
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLook, FaceLooker
from stream.vision.image import Picture
from stream.vision.session import SessionOptions


class FaceModels:
    """Localiser, embedder and what the embedder's scores mean. Threads may share it."""

    def __init__(self, files: FaceManifests, options: SessionOptions) -> None:
        self._files = files
        self._options = options
        self._lock = threading.Lock()
        self._looker: FaceLooker | None = None
        self._manifest: ModelManifest | None = None
        self._calibration: Calibration | None = None
        self._cohort: Cohort | None = None

    @property
    def manifest(self) -> ModelManifest:
        """The embedder's; raises ModelError."""
        with self._lock:
            self._manifest = self._manifest or load_manifest(self._files.embedder)
            return self._manifest

    @property
    def calibration(self) -> Calibration:
        """What the embedder's scores mean; raises ModelError where the manifest does not say it."""
        manifest = self.manifest
        with self._lock:
            self._calibration = self._calibration or calibration_of(manifest)
            return self._calibration

    @property
    def cohort(self) -> Cohort:
        """Whom the embedder's scores are held against; raises ModelError."""
        manifest = self.manifest
        with self._lock:
            self._cohort = self._cohort or cohort_of(manifest, self._files.embedder.parent)
            return self._cohort

    def faces(self, picture: Picture) -> tuple[FaceLook, ...]:
        """All faces of a picture, most confident first. Blocks for some 50 ms, at first longer; raises ModelError."""
        return self._opened().enrol(picture)

    def _opened(self) -> FaceLooker:
        manifest = self.manifest
        with self._lock:
            if self._looker is None:
                localiser = FaceLocaliser.open(
                    load_manifest(self._files.localiser), self._files.localiser.parent, self._options
                )
                embedder = FaceEmbedder.open(manifest, self._files.embedder.parent, self._options)
                self._looker = FaceLooker(localiser, embedder, FaceConfig())
            return self._looker
