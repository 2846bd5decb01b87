"""What is said of a camera that no longer shows what it used to."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.fields import Count, Id, Millis, Real, Share
from contracts.messages import Message

Sign = Literal["confidence", "appearance"]


class Signal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far the newest block of tracks is from the reference, and how far blocks of the reference are from the rest.

    `evidence` is the odds against nothing having changed, over all blocks since it began to look like it; `drifted` is
    whether they are enough.
    """

    of: Sign
    distance: Real
    usual: Real
    evidence: Real
    drifted: bool = False


class DriftReport(Message, frozen=True, kw_only=True, gc=False):
    """A camera's newest word on one part of the day (a place in `contracts.day_parts.PARTS`), for one model.

    `learnt` of the `wanted` blocks that the reference is to have are there; there are `signals` from then on, and the
    mean confidence of the newest block's tracks and of the reference's.
    """

    site: Id
    camera: Id
    part: Count
    at_ms: Millis
    model: Id
    learnt: Count
    wanted: Count
    signals: tuple[Signal, ...] = ()
    confidence: Share = 0.0
    usual_confidence: Share = 0.0


def key(report: DriftReport) -> str:
    """The report's key on its topic: there is one of each camera and part of the day."""
    return f"{report.site}/{report.camera}/{report.part}"
