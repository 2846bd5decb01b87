"""What the subtasks of one process share of the second-stage classifiers: models, opened once, and who uses them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.manifest import ModelManifest
from contracts.messages import Detection, Frame
from contracts.metrics import Metrics
from stream.jobs.attribute_looks import AttributeLooks
from stream.jobs.chosen_cameras import ChosenCameras
from stream.jobs.classifiers import ClassifierSetup
from stream.jobs.clock import now_ms
from stream.jobs.model_source import ModelSource

if TYPE_CHECKING:
    from stream.vision import Slot


@dataclass(frozen=True)
class ClassifierSettings:
    """Which classifiers there are, and where changes of cameras are told."""

    site: str
    setups: tuple[ClassifierSetup, ...]
    bootstrap: str
    controls_topic: str


class ClassifierProcess:
    """Made with the Process; each classifier is a slot, whose models change while frames go on."""

    def __init__(self, settings: ClassifierSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._cameras: dict[str, ChosenCameras] = {}
        self._slots: dict[str, Slot[AttributeLooks]] = {}

    def start(self, models: ModelSource) -> list[Slot[AttributeLooks]]:
        """Open the config's classifiers, and follow which cameras use which; raises ModelError, BusError."""
        for setup in self._settings.setups:
            self._slots[setup.name] = self._begun(setup, models)
            chosen = ChosenCameras(self._settings.site, setup.cameras, setup.wants)
            chosen.start(self._settings.bootstrap, self._settings.controls_topic)
            self._cameras[setup.name] = chosen
        return list(self._slots.values())

    def at(self, frame: Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        """The detections of a full-size frame with the looks of the classifiers that its camera uses.

        Each by the model of the frame's time, and where that fails by the one before it.
        """
        for name, slot in self._slots.items():
            if frame.camera in self._cameras[name]:
                detections = _looked(slot, frame, detections)
        return detections

    def _begun(self, setup: ClassifierSetup, models: ModelSource) -> Slot[AttributeLooks]:
        # Imported here: see Process._open_models.
        from stream.vision import SessionOptions, Slot
        from stream.vision.classifier import Classifier

        def opened(manifest: ModelManifest, folder: Path) -> AttributeLooks:
            setup.check(manifest)
            classifier = Classifier.open(setup.opened_as(manifest), folder, SessionOptions())
            return AttributeLooks(classifier, setup.most, self._metrics)

        slot = Slot(opened, self._metrics, now_ms, models.folder_of)
        slot.swap(models.starting(setup.manifest), setup.manifest.parent)
        return slot


def _looked(slot: Slot[AttributeLooks], frame: Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
    chosen = slot.choose(frame)
    return slot.first(
        chosen.choice, lambda placed: chosen.sessions[placed.key].at(frame, detections), lambda _placed: None
    )
