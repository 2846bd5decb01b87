"""Messages to bytes and back: msgpack for frames and observations, CloudEvents JSON for events, alerts and answers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, Literal, TypeVar

import msgspec

from contracts.controls import Control, EdgeControl
from contracts.decoding import JsonDecoder, MsgpackDecoder, json_decoder, msgpack_decoder
from contracts.drift import DriftReport
from contracts.edge_messages import CameraProbe, EdgeStatus
from contracts.errors import ContractError
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
from contracts.people import FaceKey, GalleryChange, PeopleCommand, Sighting, UnknownSeen

VERSION = 1
"""The schema version that this code writes; a reader takes it and the one before."""

MEDIA_TYPE = "application/json"

M = TypeVar("M", bound=Message)
E = TypeVar("E", Event, Alert, Feedback)


class CloudEvent(msgspec.Struct, Generic[E], frozen=True, kw_only=True):
    """CloudEvents 1.0, structured JSON. `id` is unique in `source`; `subject` is the camera."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: dt.datetime
    datacontenttype: str = MEDIA_TYPE
    data: E


# Made on import: the first message waits for nothing.
_decoders: dict[type[Message], MsgpackDecoder[Any]] = {
    kind: msgpack_decoder(kind)
    for kind in (
        Frame,
        FrameDetections,
        FrameTracks,
        EdgeStatus,
        CameraProbe,
        WindowStats,
        EvidenceNote,
        DeadLetter,
        EdgeControl,
        Control,
        ModelReport,
        DriftReport,
        GalleryChange,
        FaceKey,
        Sighting,
        UnknownSeen,
        PeopleCommand,
    )
}
_json_decoders: dict[type[Message], JsonDecoder[Any]] = {
    Event: json_decoder(CloudEvent[Event]),
    Alert: json_decoder(CloudEvent[Alert]),
    Feedback: json_decoder(CloudEvent[Feedback]),
}
_msgpack_encoder = msgspec.msgpack.Encoder()
_json_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """Return `message` as it stands on its topic: CloudEvents JSON for events, alerts and answers, else msgpack."""
    if isinstance(message, Event | Alert | Feedback):
        return _json_encoder.encode(_envelope(message))
    return _msgpack_encoder.encode(message)


def decode(data: bytes, kind: type[M]) -> M:
    """Return the message of `kind` in `data`; unknown fields are ignored.

    Raises ContractError when the bytes are no such message or of a version that this code can't read.
    """
    try:
        message: M = _json_decoders[kind].decode(data).data if kind in _json_decoders else _decoders[kind].decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise ContractError(f"no {kind.__name__}: {error}") from error
    if not VERSION - 1 <= message.v <= VERSION or message.v < 1:
        raise ContractError(f"{kind.__name__} of version {message.v}; this code reads up to {VERSION}")
    return message


def _envelope(message: Event | Alert | Feedback) -> CloudEvent[Any]:
    match message:
        case Alert():
            unique, kind = f"{message.id}/{message.revision}", f"org.vedette.alert.{message.state}"
        case Event():
            unique, kind = message.id, f"org.vedette.event.{message.kind}"
        case Feedback():
            unique, kind = message.id, f"org.vedette.feedback.{message.action}"
    return CloudEvent(
        id=unique,
        source=f"/vedette/{message.site}",
        type=kind,
        subject=message.camera,
        time=dt.datetime.fromtimestamp(message.at_ms / 1000, dt.UTC),
        data=message,
    )


def json_schema(kind: type[E]) -> dict[str, Any]:
    """Return the JSON schema of what `encode` writes for `kind` (Event, Alert or Feedback)."""
    return msgspec.json.schema(CloudEvent[kind])  # type: ignore[valid-type]
