"""`vedette tail TOPIC`: what stands on a topic, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.controls import Control, EdgeControl
from contracts.drift import DriftReport
from contracts.edge_messages import CameraProbe, EdgeStatus
from contracts.errors import ContractError, VedetteError
from contracts.messages import (
    Alert,
    DeadLetter,
    Event,
    EvidenceNote,
    Feedback,
    Frame,
    FrameDetections,
    FrameTracks,
    Message,
    WindowStats,
)
from contracts.model_reports import ModelReport
from contracts.naming import NameOf, mention, named

POLL_S = 0.5

KINDS: dict[str, type[Message]] = {
    topics.DETECTIONS: FrameDetections,
    topics.TRACKS: FrameTracks,
    topics.EVENTS: Event,
    topics.ALERTS: Alert,
    topics.FEEDBACK: Feedback,
    topics.EVIDENCE: EvidenceNote,
    topics.ANALYTICS: WindowStats,
    topics.MODEL_REPORTS: ModelReport,
    topics.DRIFT: DriftReport,
    topics.EDGE_STATUS: EdgeStatus,
    topics.CONTROLS: Control,
    topics.EDGE_CONTROLS: EdgeControl,
    topics.CAMERA_PROBES: CameraProbe,
    topics.DEAD_LETTERS: DeadLetter,
}


def kind_of(topic: str) -> type[Message]:
    """What a topic carries; raises VedetteError for a topic that Vedette doesn't have."""
    if topic.startswith(("frames.", "frames-late.")):
        return Frame
    try:
        return KINDS[topic]
    except KeyError:
        raise VedetteError(f"no topic {topic!r}; there are frames.SITE, frames-late.SITE, {', '.join(KINDS)}") from None


def as_json(value: bytes | None, kind: type[Message], name_of: NameOf = mention) -> str:
    """One record as a line, with names: bytes are shown by their length, what can't be decoded by its reason."""
    try:
        message = decode(value or b"", kind)
    except ContractError as error:
        return json.dumps({"undecodable": error.reason, "bytes": len(value or b"")})
    if isinstance(message, Alert | Event):
        message = named(message, name_of)
    plain = msgspec.to_builtins(message, builtin_types=(bytes,))
    return json.dumps(_readable(plain), ensure_ascii=False)


def follow(
    bootstrap: str, topic: str, *, from_beginning: bool, count: int | None, name_of: NameOf = mention
) -> Iterator[str]:
    """Yield the topic's records as JSON lines, for ever or `count` of them."""
    kind = kind_of(topic)
    left = count
    with Reader(bootstrap, topic, "beginning" if from_beginning else "end") as reader:
        while left is None or left > 0:
            records = reader.read(POLL_S)[:left]
            for record in records:
                yield as_json(record.value, kind, name_of)
            left = None if left is None else left - len(records)


def _readable(value: Any) -> Any:
    match value:
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return {key: _readable(item) for key, item in value.items()}
        case list() | tuple():
            return [_readable(item) for item in value]
        case _:
            return value
