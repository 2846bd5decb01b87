"""What the subtasks of one process share of the second-stage classifiers: models, opened once, and who uses them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from contracts.manifest import load_manifest
from contracts.messages import Detection, Frame
from contracts.metrics import Metrics
from stream.jobs.attribute_looks import AttributeLooks
from stream.jobs.chosen_cameras import ChosenCameras
from stream.jobs.classifiers import ClassifierSetup


@dataclass(frozen=True)
class ClassifierSettings:
    """Which classifiers there are, and where changes of cameras are told."""

    site: str
    setups: tuple[ClassifierSetup, ...]
    bootstrap: str
    controls_topic: str


class ClassifierProcess:
    """Made with the Process; a classifier is opened when the first camera uses it, and then kept."""

    def __init__(self, settings: ClassifierSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._cameras: dict[str, ChosenCameras] = {}
        self._looks: dict[str, AttributeLooks] = {}

    def start(self) -> None:
        """Follow which cameras use which classifier, and open those that any does; raises ModelError, BusError."""
        for setup in self._settings.setups:
            with self._lock:
                if setup.name in self._cameras:
                    continue
                chosen = ChosenCameras(self._settings.site, setup.cameras, setup.wants)
                chosen.start(self._settings.bootstrap, self._settings.controls_topic)
                self._cameras[setup.name] = chosen
            if len(chosen):
                self._opened(setup)

    def at(self, frame: Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        """The detections of a full-size frame with the looks of the classifiers that its camera uses."""
        for setup in self._settings.setups:
            if frame.camera in self._cameras[setup.name]:
                detections = self._opened(setup).at(frame, detections)
        return detections

    def _opened(self, setup: ClassifierSetup) -> AttributeLooks:
        # Imported here: see Process._open_detector.
        from stream.vision import SessionOptions
        from stream.vision.classifier import Classifier

        with self._lock:
            if setup.name not in self._looks:
                manifest = setup.opened_as(load_manifest(setup.manifest))
                classifier = Classifier.open(manifest, setup.manifest.parent, SessionOptions())
                self._looks[setup.name] = AttributeLooks(classifier, setup.most, self._metrics)
            return self._looks[setup.name]
