"""What the subtasks of one process share where people are identified: keys, models, who is enrolled."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.config import Config
from contracts.errors import VedetteError
from contracts.face_models import FaceManifests, face_manifests, identifying
from contracts.manifest import load_manifest
from contracts.metrics import Metrics
from stream.identity import IdentifierConfig, calibration_of, cohort_of
from stream.jobs.chosen_cameras import ChosenCameras
from stream.jobs.day_keys import DayKeyWatch
from stream.jobs.gallery_watch import Embedder, GalleryWatch
from stream.jobs.letters import Letters
from stream.jobs.looks import FaceLooks
from stream.jobs.model_source import ModelSource
from stream.jobs.recognition import Known, Recogniser
from vault import DayKeys, MasterKey, master_key
from vault.master import FILE_VARIABLE, VARIABLE, WAY_TO_ONE


@dataclass(frozen=True)
class FaceSettings:
    """Which models look at faces, and where keys and people are told; paths of manifests, names of topics."""

    site: str
    localiser: str
    embedder: str
    bootstrap: str
    keys_topic: str
    gallery_topic: str
    controls_topic: str
    most: int = 6
    wanted_rate: float = 0.01


class FaceProcess:
    """Made with the Process; opens each thing when it is first asked for, and then keeps it."""

    def __init__(self, settings: FaceSettings, metrics: Metrics) -> None:
        self.letters = Letters()
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._keys: DayKeys | None = None
        self._gallery: GalleryWatch | None = None
        self._looks: FaceLooks | None = None
        self._cameras: ChosenCameras | None = None

    def start_looking(self, identified: Iterable[str]) -> bool:
        """Follow which cameras identify people, of which the config names these; returns whether any does by now."""
        with self._lock:
            if self._cameras is None:
                cameras = ChosenCameras(self._settings.site, identified, lambda camera: camera.faces.identify)
                cameras.start(self._settings.bootstrap, self._settings.controls_topic)
                self._cameras = cameras
            return len(self._cameras) > 0

    def looks_at(self, camera: str) -> bool:
        """Whether the camera's people are identified by now."""
        return self._cameras is not None and camera in self._cameras

    def looks(self) -> FaceLooks:
        """The models, opened, with the keys of all days; only the detect operator asks for them."""
        with self._lock:
            if self._looks is None:
                self._looks = self._open_looks()
            return self._looks

    def known(self) -> Known:
        """Who is enrolled and the keys, as of now; the first call returns when all of both was read."""
        with self._lock:
            keys = self._day_keys()
            if self._gallery is None:
                self._gallery = self._open_gallery()
        return Known(self._gallery.now, keys)

    def keys(self) -> DayKeys:
        """The keys of all days; the first call returns when all were read."""
        with self._lock:
            return self._day_keys()

    def recogniser(self) -> Recogniser:
        """Who tracks are, by the embedder's own calibration; raises ModelError where it has none."""
        manifest = load_manifest(Path(self._settings.embedder))
        config = IdentifierConfig(wanted_rate=self._settings.wanted_rate)
        return Recogniser(self._embedder(), calibration_of(manifest), config)

    def _open_looks(self) -> FaceLooks:
        # Imported here: see Process._open_detector.
        from stream.vision import SessionOptions
        from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker

        localiser, embedder = Path(self._settings.localiser), Path(self._settings.embedder)
        options = SessionOptions()
        looker = FaceLooker(
            FaceLocaliser.open(load_manifest(localiser), localiser.parent, options),
            FaceEmbedder.open(load_manifest(embedder), embedder.parent, options),
            FaceConfig(most=self._settings.most),
        )
        return FaceLooks(looker, self._day_keys(), self._metrics)

    def _open_gallery(self) -> GalleryWatch:
        settings = self._settings
        watch = GalleryWatch(settings.site, the_master(), self._embedder(), self.letters, self._metrics)
        watch.start(settings.bootstrap, settings.gallery_topic)
        return watch

    def _day_keys(self) -> DayKeys:
        if self._keys is None:
            watch = DayKeyWatch(self._settings.site, the_master(), self.letters)
            watch.start(self._settings.bootstrap, self._settings.keys_topic)
            self._keys = watch.keys
        return self._keys

    def _embedder(self) -> Embedder:
        path = Path(self._settings.embedder)
        manifest = load_manifest(path)
        cohort = cohort_of(manifest, path.parent)
        return Embedder(manifest.id, manifest.embedding, calibration_of(manifest).alike, cohort)


def faces_in_service(config: Config, config_file: Path) -> FaceManifests | None:
    """The face models, where people are identified or can be: None without a key and a camera that does.

    Raises VedetteError for a model or a key that is missing or wrong.
    """
    if identifying(config):
        the_master()
    elif master_key(os.environ) is None:
        return None
    manifests = face_manifests(config, config_file.parent)
    _check(manifests, ModelSource(config.models))
    return manifests


def _check(manifests: FaceManifests, source: ModelSource) -> None:
    """Raises ModelError unless both models are there and trusted, and the embedder can identify people."""
    for path in manifests:
        source.starting(path)
    embedder = load_manifest(manifests.embedder)
    calibration_of(embedder)
    cohort_of(embedder, manifests.embedder.parent)


def the_master() -> MasterKey:
    """The master key of this process's environment; raises VedetteError where there is none."""
    key = master_key(os.environ)
    if key is None:
        raise VedetteError(f"people are identified, which needs a key in {VARIABLE} or {FILE_VARIABLE}: {WAY_TO_ONE}")
    return key
