"""What is counted of operators' answers."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from console.hub import Change
from console.store.rows import Filter
from console.store.store import Store
from console.upkeep import meter
from contracts.metrics import Metrics
from tests.console_tools import AT_MS, alert_of, take


@pytest.mark.parametrize(("kind", "counted"), [("zone_entry", 1.0), ("question", None)])
def test_the_answer_to_a_question_is_no_verdict_on_an_alert(store: Store, kind: str, counted: float | None) -> None:
    take(store, alert_of(kind=kind))
    (row,) = store.alerts.page(Filter()).rows
    registry = CollectorRegistry()
    after = msgspec.structs.replace(row, verdict="false", acknowledged_at_ms=AT_MS + 1000)
    meter(Metrics(registry))(Change(row, after))
    labels = {"rule": "intruder", "verdict": "false"}
    assert registry.get_sample_value("vedette_verdicts_total", labels) == counted
