"""Opens a model as its manifest describes it, and refuses one that is something else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, model_bytes
from stream.vision.heads import Boxes, Head, Labels, Outputs, head_of
from stream.vision.image import Picture, Size

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda", "tensorrt"]

_PROVIDERS: dict[str, tuple[str, ...]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


@dataclass(frozen=True)
class SessionOptions:
    """Where models run.

    `auto` takes CUDA where onnxruntime offers it, else the CPU; TensorRT only when asked for, because it builds its
    engine for minutes at the first start. `intra_op_threads` is for the CPU: 1, as the subtasks are the parallelism.
    """

    device: Device = "auto"
    intra_op_threads: int = 1


class Session:
    """One opened model. Threads may share it."""

    def __init__(self, manifest: ModelManifest, head: Head, labels: Labels, opened: Any) -> None:
        self.manifest = manifest
        self.label_names = labels.names
        self.input_size: Size = (manifest.input.width, manifest.input.height)
        self.provider: str = opened.get_providers()[0]
        self.on_gpu = self.provider != "CPUExecutionProvider"
        self.batch_limit = _batch_limit(opened)
        self.calibrated = {label: least for label, least in manifest.thresholds.items() if label != "default"}
        self._head = head
        self._opened = opened
        self._outputs = [name for name, _ in head.outputs] or None

    @classmethod
    def open(cls, manifest: ModelManifest, folder: Path, options: SessionOptions) -> Session:
        """Read the model from `folder`, hold it against its manifest and run it once; raises ModelError."""
        if manifest.task != "detector":
            raise ModelError(f"{manifest.id}: is a {manifest.task}, not a detector")
        labels = Labels(manifest)
        head = head_of(manifest, labels)
        opened = open_runtime(manifest, model_bytes(manifest, folder), options)
        _check_ends(manifest, head, opened)
        session = cls(manifest, head, labels, opened)
        session._warm_up()
        return session

    def infer(self, pictures: list[Picture]) -> list[Outputs]:
        """Run pictures uint8[H,W,3] BGR of `input_size` as one batch; the raw outputs of each."""
        outputs = self._opened.run(self._outputs, {self.manifest.input.name: self._head.feed(pictures)})
        if any(output.shape[:1] != (len(pictures),) for output in outputs):
            shapes = [list(output.shape) for output in outputs]
            raise ModelError(f"{self.manifest.id}: gave {shapes} for a batch of {len(pictures)}")
        return [tuple(output[place] for output in outputs) for place in range(len(pictures))]

    def read(self, outputs: Outputs) -> Boxes:
        """The boxes in the outputs of one picture, in pixels of the input."""
        return self._head.read(outputs)

    def _warm_up(self) -> None:
        """The first run allocates and may compile; it also shows the real shapes of the outputs, of batches too."""
        width, height = self.input_size
        grey = np.full((height, width, 3), self.manifest.input.letterbox, np.uint8)
        for count in (1, 2) if self.batch_limit is None else (1,):
            try:
                outputs = self.infer([grey] * count)
            except ModelError:
                raise
            except Exception as error:  # onnxruntime's errors have no common public base
                raise ModelError(f"{self.manifest.id}: does not run a batch of {count}: {error}") from error
            if wrong := self._head.check(outputs[0]):
                raise ModelError(f"{self.manifest.id}: {wrong}")
            self.read(outputs[0])


def open_runtime(manifest: ModelManifest, model: bytes, options: SessionOptions) -> Any:
    """An onnxruntime session on the device that the options name; raises ModelError."""
    available = onnxruntime.get_available_providers()
    device = options.device
    if device == "auto":
        device = "cuda" if "CUDAExecutionProvider" in available else "cpu"
    wanted = _PROVIDERS[device]
    if wanted[0] not in available:
        raise ModelError(
            f"{manifest.id}: device {device} needs {wanted[0]}; this onnxruntime has {', '.join(available)}"
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads
    settings.inter_op_num_threads = 1
    settings.use_deterministic_compute = True
    settings.log_severity_level = 3  # errors; what goes wrong here is raised
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared with Flink
    try:
        opened = onnxruntime.InferenceSession(model, settings, providers=list(wanted))
    except Exception as error:  # onnxruntime's errors have no common public base
        raise ModelError(f"{manifest.id}: {manifest.file} can't be opened: {error}") from error
    if opened.get_providers()[0] != wanted[0]:
        if options.device != "auto":
            raise ModelError(
                f"{manifest.id}: {wanted[0]} did not start, onnxruntime fell back to {opened.get_providers()}"
            )
        log.warning("%s did not start: %s runs on %s", wanted[0], manifest.id, opened.get_providers()[0])
    return opened


def _check_ends(manifest: ModelManifest, head: Head, opened: Any) -> None:
    """ModelError unless the model's inputs and outputs have the names, types and sizes that the manifest says."""
    inputs = opened.get_inputs()
    if [end.name for end in inputs] != [manifest.input.name]:
        names = [end.name for end in inputs]
        raise ModelError(f"{manifest.id}: the model's inputs are {names}, the manifest says {manifest.input.name}")
    entry = inputs[0]
    if entry.type != head.input_type:
        raise ModelError(
            f"{manifest.id}: input {entry.name} is {entry.type}, layout {manifest.layout} wants {head.input_type}"
        )
    if len(entry.shape) != 4 or any(
        isinstance(side, int) and side != wanted for side, wanted in zip(entry.shape[1:], head.input_shape, strict=True)
    ):
        raise ModelError(
            f"{manifest.id}: input {entry.name} is {entry.shape}, the manifest says {['N', *head.input_shape]}"
        )
    if isinstance(entry.shape[0], int) and entry.shape[0] != 1:
        raise ModelError(f"{manifest.id}: the model takes batches of {entry.shape[0]} only; 1 or any number will do")
    outputs = {end.name: end.type for end in opened.get_outputs()}
    for name, types in head.outputs:
        if outputs.get(name) not in types:
            raise ModelError(
                f"{manifest.id}: output {name} is {outputs.get(name, 'missing')}, not {' or '.join(types)}"
            )


def _batch_limit(opened: Any) -> int | None:
    first = opened.get_inputs()[0].shape[0]
    return first if isinstance(first, int) else None
