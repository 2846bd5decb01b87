"""What a traced frame leads to in decide: its span, and alerts that carry the trace on."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.messages import Alert
from contracts.trace import child, first
from stream.jobs.decider import Decision
from stream.jobs.tracing import traced
from tests.golden.samples import SAMPLES
from tests.unit.stream.jobs.test_decider import T0_MS, detections

DETECT = child(first("site", "gate", 1, 0, T0_MS), "detect")


def test_a_frame_without_alerts_is_one_span_from_its_boxes_on() -> None:
    frame = replace(detections(0), traceparent=DETECT, detected_at_ms=T0_MS + 20)
    decision, (span,) = traced(frame, Decision(), T0_MS + 25, T0_MS + 27)
    assert decision == Decision()
    assert (span.stage, span.parent, span.begun_ms, span.ended_ms) == ("decide", DETECT, T0_MS + 20, T0_MS + 27)
    assert span.attributes["waited_ms"] == 5


def test_each_alert_is_a_span_below_and_carries_it() -> None:
    alert = SAMPLES["alert"]
    assert isinstance(alert, Alert)
    frame = replace(detections(0), traceparent=DETECT, detected_at_ms=T0_MS + 20)
    both = Decision(alerts=(alert, replace(alert, id="alert-2")))
    decision, (decide, *told) = traced(frame, both, T0_MS + 25, T0_MS + 27)
    assert [one.parent for one in told] == [decide.traceparent] * 2
    assert [one.traceparent for one in told] == [alert.traceparent for alert in decision.alerts]
    assert len({one.traceparent for one in told}) == 2
