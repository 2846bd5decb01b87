"""The one place that every picture passes before evidence keeps or shows it: kept frame, snapshot and clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple, cast

import cv2
import numpy as np

from archive.evidence.draw import Picture
from archive.evidence.frames import FrameMissed
from contracts.messages import Frame

Redact = Callable[[Picture, Frame], Picture]
"""A frame's picture (BGR uint8[H,W,3]) as it may be kept: the same one, or another of its size."""

QUALITY = 90


class Kept(NamedTuple):
    """A frame as it may be kept: its picture and that as a JPEG."""

    picture: Picture
    jpeg: bytes


def as_sent(picture: Picture, _: Frame) -> Picture:
    """Nothing is hidden beyond what the agent's masks have blackened."""
    return picture


def picture_of(frame: Frame, redact: Redact) -> Picture:
    """What may be shown of a frame; raises FrameMissed for one that was damaged or is no picture."""
    return redact(_decoded(frame), frame)


def kept_of(frame: Frame, redact: Redact) -> Kept:
    """The same as a JPEG too: the very bytes of the log where nothing was hidden. Raises FrameMissed."""
    sent = _decoded(frame)
    shown = redact(sent, frame)
    return Kept(shown, frame.jpeg if shown is sent else jpeg_of(shown))


def jpeg_of(picture: Picture) -> bytes:
    """A picture as a JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _decoded(frame: Frame) -> Picture:
    digest = hashlib.sha256(frame.jpeg).hexdigest()
    if digest != frame.sha256:
        raise FrameMissed("damaged", f"sha256 is {digest}, the frame says {frame.sha256}")
    data = np.frombuffer(frame.jpeg, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise FrameMissed("undecodable", f"{len(data)} bytes are no JPEG")
    return cast(Picture, picture)
