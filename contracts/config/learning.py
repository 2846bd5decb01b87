"""The learning loop: where the pictures that a model may learn from are kept, how many and for how long."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.config.base import Fraction, NonNegative, Positive, Spec
from contracts.config.classifiers import Attribute
from contracts.config.evidence import S3


class ClassifierLearning(Spec, frozen=True, kw_only=True):
    """How an attribute's classifier is trained on what was answered of it: `recipe` and `gate` are files as the
    detector's are, but of its own.
    """

    recipe: str
    gate: str


class Learning(Spec, frozen=True, kw_only=True):
    """The collection of pictures, in `folder` (empty: in the state folder) or `s3`.

    `teachers` are manifests of detectors that may be slower than the stream's; they see beside it what nobody labelled.
    `samples_per_hour` frames of each camera are kept because they are hard, for `keep_days`; answered alerts stay as
    long as their evidence. `queue` is how many pictures at most wait for a person's label.

    `vedette learn` trains after `after_answers` new answers, `every_days`, or when the share of true among a camera's
    answered alerts falls by `precision_drop`. `replay` is the folder of what the recipe calls its data, `recipe` its
    file (empty: the one that comes along), `gate` the list of frozen sets that `vedette models freeze` writes. `small`
    is the name of a smaller model that is made of what was trained, and goes before the gate in its place; where what
    is in service is such a model, it is made anyway, under its name. For `classifiers` the same is done, by their
    attributes, for the same reasons.
    """

    folder: str = ""
    s3: S3 | None = None
    teachers: tuple[str, ...] = ()
    samples_per_hour: NonNegative = 0.0
    keep_days: Positive = 30.0
    after_answers: Annotated[int, Meta(ge=1)] = 50
    every_days: Positive = 7.0
    precision_drop: Fraction = 0.2
    replay: str = ""
    recipe: str = ""
    gate: str = ""
    small: Annotated[str, Meta(pattern="^([A-Za-z0-9][A-Za-z0-9.-]*)?$", max_length=64)] = ""
    classifiers: dict[Attribute, ClassifierLearning] = {}
    queue: Annotated[int, Meta(ge=1, le=100_000)] = 100
