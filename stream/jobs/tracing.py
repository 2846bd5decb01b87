"""The stages of a traced frame in decide: all of it, and each alert that it leads to."""

from __future__ import annotations

import msgspec

from contracts.messages import FrameDetections
from contracts.trace import Attributes, Span, child
from stream.jobs.decider import Decision


def traced(frame: FrameDetections, decision: Decision, begun_ms: int, ended_ms: int) -> tuple[Decision, list[Span]]:
    """The decision with alerts that carry the trace on, and the spans of what was done from `begun_ms` to `ended_ms`.

    The time from the boxes to their decision begins with detect's own stamp, so the way through the log is part of it.
    """
    own = child(frame.traceparent, "decide")
    waited = {"waited_ms": begun_ms - frame.detected_at_ms, "events": len(decision.events)}
    spans = [Span("decide", own, frame.traceparent, frame.detected_at_ms, ended_ms, waited)]
    alerts = []
    for alert in decision.alerts:
        carried = child(own, "alert", alert.id, alert.revision)
        said: Attributes = {"alert": alert.id, "revision": alert.revision, "state": alert.state, "rule": alert.rule}
        spans.append(Span("alert", carried, own, begun_ms, ended_ms, said))
        alerts.append(msgspec.structs.replace(alert, traceparent=carried))
    return decision._replace(alerts=tuple(alerts)), spans
