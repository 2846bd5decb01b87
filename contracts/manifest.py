"""The manifest of a model: which file, what goes in, what comes out, how good it is and where it comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from contracts.decoding import from_json
from contracts.errors import ModelError

Task = Literal["detector", "face-localiser", "face-embedder", "classifier"]


class ModelInput(msgspec.Struct, frozen=True, kw_only=True):
    """The picture that a model takes, in pixels."""

    name: str
    width: int
    height: int
    channels: Literal["bgr", "rgb"] = "bgr"
    letterbox: int = 114


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the weights come from."""

    licence: str
    trained_from: str = ""
    data: str = ""
    recipe: str = ""


class ScoreTail(msgspec.Struct, frozen=True, kw_only=True):
    """Of all comparisons of two people `share` score above `start`; their excess is Pareto with `scale` and `shape`."""

    start: float
    share: float
    scale: float
    shape: float


class ScoreLevel(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of probes of at least this strength: strangers' tail, and where the enrolled person's own lie."""

    strength: float
    impostors: ScoreTail
    genuine_mean: float
    genuine_std: float


class ScoreCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a face embedder's qualities and scores mean; stream.identity.Calibration says how it is used.

    `cohort` is the file, beside the manifest, of others that scores are held against (stream/identity/cohort.py).
    """

    qualities: tuple[float, ...]
    cosines: tuple[float, ...]
    levels: tuple[ScoreLevel, ...]
    correlation: float
    cohort: str = ""
    cohort_sha256: str = ""


class DataReference(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a data set, by what is in it: `sha256` as training.gate.sets counts it."""

    name: str
    sha256: str


LEARNT = "learnt.txt"
"""The data set of a lineage that is the list, kept with the version, of the pictures that it was trained on."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What people said of a camera's label that is new in a version, and how much of it is contradicted.

    `by` is how much each of them said of that, without their names: who it was only the site's collection knows.
    """

    camera: str
    label: str
    words: int
    contradicted: int
    by: dict[str, int] = {}


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was made of: the version it began from, the data it was trained on, the code and the recipe.

    `words` are those that it learnt beside what the version in service knew: see archive/collection/words.py.
    `smaller_by` is what made it smaller than its parent, which trainings begin with in its place.
    """

    parent: str = ""
    data: tuple[DataReference, ...] = ()
    code: str = ""
    recipe_sha256: str = ""
    words: tuple[Words, ...] = ()
    smaller_by: tuple[str, ...] = ()


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for a manifest: the public key, as vault writes it, and 64 bytes in base64."""

    key: str
    value: str


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """What a classifier says of a box, and how it looks at it.

    `name` is the attribute's (`hard_hat`), the manifest's `labels` are its values. `boxes` are the labels of the boxes
    that it looks at; `part` is what of a box is seen: the square around all of it, or the one in which a person's head
    is; `margin` widens that square, as a share of its side; one of fewer than `least_side` px is not looked at.
    Probabilities are the softmax of the logits over `temperature`.
    """

    name: str
    boxes: tuple[str, ...] = ("person",)
    part: Literal["whole", "head"] = "whole"
    margin: float = 0.1
    least_side: float = 24.0
    temperature: float = 1.0


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one model.

    `layout` is how the outputs are read: `boxes` is boxes[N,M,4] (xyxy in input pixels), scores[N,M], classes[N,M];
    `yolox` is the raw head [N,A,5+C] of the YOLOX family. `thresholds` has the least confidence of a label
    (`default` for the rest); `low_threshold` is how far down the tracker still looks. `embedding` is the length D of
    each box's appearance vector, which the layout `boxes` gives as embeddings[N,M,D] (zeros: a box without); 0 for a
    model without. `file` is relative to the manifest. `label_map` renames labels and drops those that it does not name
    (empty: all stay as they are). An embedder without `calibration` can't identify anybody. A classifier gives
    logits[N,C] over `labels`; one without `attribute` can't be a second stage; from its thresholds on, the mean
    probability of a track's looks is believed. `signature` is under `signed_bytes`; archive.registry.signing makes and
    checks it.
    """

    name: str
    version: str
    task: Task
    file: str
    sha256: str
    input: ModelInput
    labels: tuple[str, ...]
    layout: Literal["boxes", "yolox"] = "boxes"
    label_map: dict[str, str] = {}
    thresholds: dict[str, float] = msgspec.field(default_factory=lambda: {"default": 0.4})
    low_threshold: float = 0.1
    nms_iou: float = 0.65
    embedding: int = 0
    metrics: dict[str, float] = {}
    calibration: ScoreCalibration | None = None
    attribute: Attribute | None = None
    provenance: Provenance
    lineage: Lineage | None = None
    signature: Signature | None = None
    created_at: str = ""
    v: int = 1

    @property
    def id(self) -> str:
        """The name by which messages refer to this version."""
        return f"{self.name}@{self.version}"


def signed_bytes(manifest: ModelManifest) -> bytes:
    """What a signature is under: all that the manifest says but the signature itself.

    Fields at their defaults are left out, so that a field that a later version adds breaks no signature of before.
    """
    said = _said(msgspec.structs.replace(manifest, signature=None))
    return b"vedette model manifest 1\n" + msgspec.json.encode(said, order="sorted")


def _said(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        fields = [(field, getattr(value, field.name)) for field in msgspec.structs.fields(value)]
        return {field.encode_name: _said(given) for field, given in fields if given != _default(field)}
    if isinstance(value, dict):
        return {key: _said(given) for key, given in value.items()}
    return [_said(given) for given in value] if isinstance(value, tuple | list) else value


def _default(field: msgspec.structs.FieldInfo) -> object:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


def load_manifest(path: Path) -> ModelManifest:
    """Read a manifest file; raises ModelError with the file's name and what is wrong."""
    try:
        return from_json(path.read_bytes(), ModelManifest)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {error}") from error


def files_of(manifest: ModelManifest) -> dict[str, str]:
    """The files that a version is, beside its manifest, each with its sha256: the model, and an embedder's cohort."""
    files = {manifest.file: manifest.sha256}
    if manifest.calibration is not None and manifest.calibration.cohort:
        files[manifest.calibration.cohort] = manifest.calibration.cohort_sha256
    return files


def model_bytes(manifest: ModelManifest, folder: Path, file: str = "") -> bytes:
    """Read the model's file, or another one of `files_of`, and hold it against its sha256; raises ModelError."""
    path, wanted = folder / (file or manifest.file), files_of(manifest)[file or manifest.file]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{manifest.id}: {path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != wanted:
        raise ModelError(f"{manifest.id}: {path} has sha256 {digest}, the manifest says {wanted}")
    return data
