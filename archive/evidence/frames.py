"""The seam between evidence and the log: a frame by its place, or why it can't be had."""

from __future__ import annotations

from typing import Literal, Protocol

from contracts.errors import VedetteError
from contracts.messages import Frame, FrameRef

Reason = Literal["retention", "timeout", "no_frame", "other_frame", "damaged", "undecodable"]


class FrameMissed(VedetteError):
    """The frame can't be had any more, with a reason fit for a metric's label and the details."""

    def __init__(self, reason: Reason, details: str) -> None:
        super().__init__(f"{reason}: {details}")
        self.reason: Reason = reason
        self.details = details


class Stopped(VedetteError):
    """The process is to end; what was under way is done again after the next start."""


class Frames(Protocol):
    """Where frames come from."""

    def fetch(self, ref: FrameRef) -> Frame:
        """The frame at `ref`; raises FrameMissed, or Stopped while it waits."""
