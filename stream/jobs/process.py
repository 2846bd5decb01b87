"""What the subtasks of one Python process share: metrics with their HTTP server, and the model in service.

In thread mode all subtasks of a task manager live in one interpreter, so these are made once, on first `open()`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, start_http_server

from contracts import metrics as names
from contracts.metrics import Metrics
from stream.jobs.clock import now_ms
from stream.jobs.face_process import FaceProcess, FaceSettings
from stream.jobs.model_control import ModelControl
from stream.jobs.model_source import ModelSource

if TYPE_CHECKING:
    from stream.vision import Detector, ModelSlot


@dataclass(frozen=True)
class ProcessSettings:
    """How a process is set up; equal settings share one.

    `manifest` is a path, empty for jobs without a model; `faces` is None where nobody is identified.
    """

    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    manifest: str = ""
    batch_max: int = 8
    batch_wait_ms: float = 3.0
    controls_topic: str = ""
    bootstrap: str = ""
    models: ModelSource = field(default_factory=ModelSource)
    faces: FaceSettings | None = None


@dataclass
class Process:
    """The shared things of one process."""

    settings: ProcessSettings
    metrics: Metrics
    started_at_ms: int
    faces: FaceProcess | None = None
    _detector: Detector | None = None
    _slot: ModelSlot | None = None
    _thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def detector(self) -> Detector:
        """The detector with its session open and the newest promoted model in service."""
        with self._lock:
            if self._detector is None:
                self._detector = self._open_detector()
            return self._detector

    def thresholds(self, model: str) -> dict[str, float]:
        """What the model with this id was calibrated to, by label; the manifest's `default` is no calibration."""
        if model not in self._thresholds and self._slot is not None:
            manifest = self._slot.get().manifest
            calibrated = {label: least for label, least in manifest.thresholds.items() if label != "default"}
            self._thresholds[manifest.id] = calibrated
        return self._thresholds.get(model, {})

    def _open_detector(self) -> Detector:
        # Imported here, so that only the thread of the detect operator ever does: the import of onnxruntime asks for
        # "this thread's state" too, and hangs in a thread of two Python operators (see stream.jobs.kafka.side_output).
        import cv2

        from stream.vision import BatchConfig, Batcher, Detector, ModelSlot, SessionOptions

        # The subtasks are the parallelism: OpenCV's own threads cost 3 % more CPU a frame and save no time.
        cv2.setNumThreads(1)
        path = Path(self.settings.manifest)
        slot = ModelSlot(SessionOptions(), self.metrics)
        slot.swap(self.settings.models.starting(path), path.parent)
        self._slot = slot
        if self.settings.controls_topic:
            ModelControl(self.settings.bootstrap, self.settings.controls_topic, slot, self.settings.models).start()
        batching = BatchConfig(self.settings.batch_max, self.settings.batch_wait_ms)
        return Detector(slot, Batcher(batching, self.metrics))


_processes: dict[ProcessSettings, Process] = {}
_registry = CollectorRegistry()
_metrics = Metrics(_registry)
_served: set[int] = set()
_lock = threading.Lock()


def process_of(settings: ProcessSettings) -> Process:
    """The one Process of these settings in this interpreter."""
    with _lock:
        if settings.metrics_port and settings.metrics_port not in _served:
            start_http_server(settings.metrics_port, settings.metrics_host, _registry)
            _served.add(settings.metrics_port)
        if settings not in _processes:
            faces = FaceProcess(settings.faces, _metrics) if settings.faces is not None else None
            _processes[settings] = Process(settings, _metrics, now_ms(), faces)
        return _processes[settings]


def opened(settings: ProcessSettings, context: Any, task: str) -> Process:
    """The Process, for an operator in its `open`: one that Flink opens again after a failure is counted."""
    process = process_of(settings)
    # PyFlink 2.3's own `get_attempt_number` calls a Java method that is no more.
    if context._runtime_context.getTaskInfo().getAttemptNumber() > 0:
        process.metrics.counter(names.TASK_RESTARTS, task).inc()
    return process
