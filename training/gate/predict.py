"""Models see the same pictures, in turn and as the stream would, so that their times can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from contracts.errors import ConfigError, ContractError
from contracts.manifest import ModelManifest, files_of
from stream.vision import Session, SessionOptions
from stream.vision.classifier import Classifier
from stream.vision.detector import detections
from stream.vision.image import decode, fit, jpeg_size, letterbox
from training.gate.judge import Seen
from training.gate.measure import Boxes, Picture

Model = tuple[ModelManifest, Path]
Sees = Callable[[bytes, Boxes], Boxes]


def see(models: Sequence[Model], pictures: Sequence[Picture], files: Sequence[Path]) -> list[Seen]:
    """What each model sees in pictures, whose JPEGs are `files`.

    A classifier looks at the boxes of the truth, and each of its labels is a box found there, as certain as it is.
    Raises ModelError where a model can't be opened, ConfigError for a file that is no JPEG.
    """
    opened = [_opened(manifest, folder) for manifest, folder in models]
    boxes: list[list[Boxes]] = [[] for _ in models]
    times: list[list[float]] = [[] for _ in models]
    for number, (picture, file) in enumerate(zip(pictures, files, strict=True)):
        jpeg = _jpeg(file)
        for side in range(len(models))[:: 1 if number % 2 else -1]:  # neither always finds the caches warm
            began = time.perf_counter()
            boxes[side].append(opened[side](jpeg, picture.truth))
            times[side].append(1000 * (time.perf_counter() - began))
    return [
        Seen(manifest.id, tuple(boxes[side]), np.array(times[side]), manifest.thresholds, _size_bytes(manifest, folder))
        for side, (manifest, folder) in enumerate(models)
    ]


def _size_bytes(manifest: ModelManifest, folder: Path) -> int:
    return sum((folder / file).stat().st_size for file in files_of(manifest))


def _opened(manifest: ModelManifest, folder: Path) -> Sees:
    if manifest.task == "classifier":
        classifier = Classifier.open(manifest, folder, SessionOptions())
        return lambda jpeg, truth: _classified(classifier, jpeg, truth)
    session = Session.open(manifest, folder, SessionOptions())
    return lambda jpeg, _truth: _detected(session, jpeg)


def _classified(classifier: Classifier, jpeg: bytes, truth: Boxes) -> Boxes:
    looks = classifier.look_in(jpeg, jpeg_size(jpeg), truth.xyxy.astype(np.float32))
    rows = [
        (box, label, sure)
        for box, look in zip(truth.xyxy, looks, strict=True)
        for label, sure in look.probabilities.items()
    ]
    return Boxes(
        np.array([box for box, _, _ in rows], float).reshape(-1, 4),
        tuple(label for _, label, _ in rows),
        np.array([sure for _, _, sure in rows], float),
    )


def _detected(session: Session, jpeg: bytes) -> Boxes:
    size = jpeg_size(jpeg)
    into = session.input_size
    inner = fit(size, into)
    canvas = letterbox(decode(jpeg, target=inner), inner, into, session.manifest.input.letterbox)
    found = detections(session.read(session.infer([canvas])[0]), session.label_names, inner, size)
    return Boxes(
        np.array([one.xyxy for one in found], float).reshape(-1, 4),
        tuple(one.label for one in found),
        np.array([one.confidence for one in found], float),
    )


def _jpeg(file: Path) -> bytes:
    """The file's bytes, once it is known that they can be decoded."""
    try:
        data = file.read_bytes()
        decode(data, target=(64, 64))
    except OSError as error:
        raise ConfigError(file.name, error.strerror or "can't be read") from error
    except ContractError as error:
        raise ConfigError(file.name, error.reason) from error
    return data
