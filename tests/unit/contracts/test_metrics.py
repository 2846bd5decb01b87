"""Metrics that say something of the machine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import disk_usage

import pytest
from prometheus_client import CollectorRegistry

from contracts import metrics
from contracts.metrics import RATE_SHARE, Metric, Metrics, watch_disk


def test_a_disk_is_looked_at_when_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    watch_disk(Metrics(registry), "spool", tmp_path)
    assert registry.get_sample_value("vedette_disk_size_bytes", {"store": "spool"}) == disk_usage(tmp_path).total
    monkeypatch.setattr("contracts.metrics.disk_usage", lambda folder: disk_usage(folder)._replace(free=7))
    assert registry.get_sample_value("vedette_disk_free_bytes", {"store": "spool"}) == 7


def test_threads_that_need_a_metric_at_the_same_moment_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    new = metrics._new

    def slowly(metric: Metric, registry: CollectorRegistry) -> metrics.Counter | metrics.Gauge | metrics.Histogram:
        time.sleep(0.05)
        return new(metric, registry)

    monkeypatch.setattr(metrics, "_new", slowly)
    made = Metrics(CollectorRegistry())
    with ThreadPoolExecutor(4) as threads:
        gauges = list(threads.map(lambda _: made.gauge(RATE_SHARE, "gate"), range(4)))
    assert all(gauge is gauges[0] for gauge in gauges)
