"""What agents say of their cameras: how each one does, and what an address showed that they were asked to open."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.fields import Count, Id, Millis, Tamper
from contracts.messages import Message


class CameraCounters(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a camera's pictures since the agent's start."""

    captured: int = 0
    sent: int = 0
    gated: int = 0
    spooled: int = 0
    dropped: dict[str, int] = {}


class EdgeStatus(Message, frozen=True, kw_only=True, gc=False):
    """One camera's state, once a second from its agent, which runs `version`. `clock_offset_ms`: agent minus broker."""

    site: Id
    camera: Id
    agent: str
    session: Count
    at_ms: Millis
    state: Literal["starting", "up", "down", "ended"]
    reason: str = ""
    tamper: tuple[Tamper, ...] = ()
    last_frame_at_ms: Millis = 0
    width: int = 0
    height: int = 0
    captured_fps: float = 0.0
    sent_fps: float = 0.0
    counters: CameraCounters = CameraCounters()
    spool_bytes: int = 0
    clock_offset_ms: int | None = None
    version: str = ""


class CameraProbe(Message, frozen=True, kw_only=True, gc=False):
    """What an agent saw when it was asked to open an address: a picture of it, or why there is none.

    `id` is the question's. `jpeg` is at most 640 pixels wide, `width` and `height` are the input's own; `fps` and
    `codec` are what the input says of itself (0 and "" where it says nothing). `error` holds no secret.
    """

    site: Id
    id: Id
    agent: str
    at_ms: Millis
    took_s: float
    error: str = ""
    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    codec: str = ""
