"""What is counted of alerts on their way to the topic."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from contracts.metrics import Metrics
from stream.jobs.outputs import Outputs
from tests.evidence_tools import alert


@pytest.mark.parametrize(("kind", "counted"), [("zone_entry", 1.0), ("question", None)])
def test_a_question_goes_to_the_topic_and_is_counted_as_no_alert(kind: str, counted: float | None) -> None:
    registry = CollectorRegistry()
    told = alert(kind=kind)
    assert len(list(Outputs(Metrics(registry), lambda: told.at_ms).records((), [told]))) == 1
    labels = {"camera": told.camera, "severity": told.severity, "state": told.state}
    assert registry.get_sample_value("vedette_alerts_total", labels) == counted
