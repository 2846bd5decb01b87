"""What detect processes say of the models they work with: how they do, and what a candidate sees otherwise."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.fields import Count, Id, Millis, Real, Stage
from contracts.messages import Message

ModelState = Literal["loading", "ready", "refused", "failing"]


class Served(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a model did, since the report before, on the frames of a camera whose detections are its own.

    `errors` are frames on which it failed, so that another model's detections stand; they are not in `frames`.
    `seconds` is the whole time of decoding, inference and reading, `boxes` the certain ones by label.
    """

    camera: Id
    model: Id
    frames: Count = 0
    errors: Count = 0
    seconds: Real = 0.0
    boxes: dict[str, int] = {}


class Compared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a candidate saw otherwise than the model in service on `frames` of a camera that both looked at.

    Boxes are the certain ones, by label: `boxes` those of the model in service, of which the candidate lost `lost`;
    `gained` are those of the candidate alone. `shift` is the sum, over all that both have, of the candidate's
    confidence less the other's. `dropped` frames were to be compared, and there was no time for it.
    """

    camera: Id
    candidate: Id
    in_service: Id
    frames: Count = 0
    errors: Count = 0
    dropped: Count = 0
    candidate_s: Real = 0.0
    in_service_s: Real = 0.0
    boxes: dict[str, int] = {}
    gained: dict[str, int] = {}
    lost: dict[str, int] = {}
    shift: Real = 0.0


class ModelReport(Message, frozen=True, kw_only=True, gc=False):
    """One process's word, every few seconds while frames come.

    `candidate` is "" where none stands, and what is in service while that is watched (`stage` is then everywhere);
    `version` is that of the control which it came by, `state` and `reason` say
    how it is with the model that came last, candidate or not.
    """

    site: Id
    process: Id
    at_ms: Millis
    in_service: Id
    candidate: str = ""
    stage: Stage = "everywhere"
    version: Count = 0
    state: ModelState = "ready"
    reason: str = ""
    served: tuple[Served, ...] = ()
    compared: tuple[Compared, ...] = ()
