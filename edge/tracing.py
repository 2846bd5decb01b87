"""A traced frame's stages in the agent: from the shutter to its acceptance, from there to the broker's word."""

from __future__ import annotations

from contracts.messages import Frame
from contracts.trace import Attributes, Span, child
from edge.spool import Record


def capture_span(frame: Frame, record: Record) -> Span:
    """Reading, looking, encoding; the trace begins here."""
    attributes: Attributes = {
        "site": frame.site,
        "camera": frame.camera,
        "session": frame.session,
        "index": frame.index,
        "detail": frame.detail,
        "bytes": record.size,
    }
    return Span("capture", frame.traceparent, "", frame.captured_at_ms, record.accepted_at_ms, attributes)


def publish_span(record: Record, acknowledged_at_ms: int) -> Span:
    """Until the broker has it; the late lane's wait on disk is part of it."""
    own = child(record.traceparent, "publish")
    return Span("publish", own, record.traceparent, record.accepted_at_ms, acknowledged_at_ms, {"lane": record.lane})
