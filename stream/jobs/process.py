"""What the subtasks of one Python process share: metrics with their HTTP server, and the models in service.

In thread mode all subtasks of a task manager live in one interpreter, so these are made once, on first `open()`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, start_http_server

from contracts import metrics as names
from contracts.metrics import Metrics
from stream.jobs.classifier_process import ClassifierProcess, ClassifierSettings
from stream.jobs.clock import now_ms
from stream.jobs.face_process import FaceProcess, FaceSettings
from stream.jobs.model_control import ModelControl
from stream.jobs.model_reports import ModelReports
from stream.jobs.model_source import ModelSource
from stream.rollout import Tally
from telemetry import Tracer, open_tracer

if TYPE_CHECKING:
    from stream.vision import DetectService


@dataclass(frozen=True)
class ProcessSettings:
    """How a process is set up; equal settings share one.

    `manifest` is a path, empty for jobs without a model; `faces` is None where nobody is identified, `classifiers`
    where there is none.
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
    classifiers: ClassifierSettings | None = None


class Models(NamedTuple):
    """What detects a process's frames, and what is said of that."""

    service: DetectService
    reports: ModelReports


@dataclass
class Process:
    """The shared things of one process."""

    settings: ProcessSettings
    metrics: Metrics
    started_at_ms: int
    tracer: Tracer
    faces: FaceProcess | None = None
    classifiers: ClassifierProcess | None = None
    _models: Models | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def models(self) -> Models:
        """The detectors that frames are for, open, with what was promoted by now in force."""
        with self._lock:
            if self._models is None:
                self._models = self._open_models()
            return self._models

    def _open_models(self) -> Models:
        # Imported here, so that only the thread of the detect operator ever does: the import of onnxruntime asks for
        # "this thread's state" too, and hangs in a thread of two Python operators (see stream.jobs.kafka.side_output).
        import cv2

        from stream.vision import BatchConfig, Batcher, Beside, Detector, DetectService, ModelSlot, SessionOptions

        # The subtasks are the parallelism: OpenCV's own threads cost 3 % more CPU a frame and save no time.
        cv2.setNumThreads(1)
        path = Path(self.settings.manifest)
        slot = ModelSlot(SessionOptions(), self.metrics, now_ms, self.settings.models.folder_of)
        slot.swap(self.settings.models.starting(path), path.parent)
        others = self.classifiers.start(self.settings.models) if self.classifiers is not None else []
        if self.settings.controls_topic:
            ModelControl(self.settings.bootstrap, self.settings.controls_topic, [slot, *others]).start()
        batching = BatchConfig(self.settings.batch_max, self.settings.batch_wait_ms)
        detector, tally = Detector(slot, Batcher(batching, self.metrics)), Tally()
        service = DetectService(slot, detector, Beside(), tally, self.metrics)
        return Models(service, ModelReports(slot, tally))


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
            told = settings.classifiers
            classifiers = ClassifierProcess(told, _metrics) if told is not None else None
            _processes[settings] = Process(settings, _metrics, now_ms(), _tracer(), faces, classifiers)
        return _processes[settings]


@cache
def _tracer() -> Tracer:
    return open_tracer("stream")


def opened(settings: ProcessSettings, context: Any, task: str) -> Process:
    """The Process, for an operator in its `open`: one that Flink opens again after a failure is counted."""
    process = process_of(settings)
    # PyFlink 2.3's own `get_attempt_number` calls a Java method that is no more.
    if context._runtime_context.getTaskInfo().getAttemptNumber() > 0:
        process.metrics.counter(names.TASK_RESTARTS, task).inc()
    return process
