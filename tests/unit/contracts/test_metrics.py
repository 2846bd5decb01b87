"""Metrics that say something of the machine."""

from __future__ import annotations

from pathlib import Path
from shutil import disk_usage

import pytest
from prometheus_client import CollectorRegistry

from contracts.metrics import Metrics, watch_disk


def test_a_disk_is_looked_at_when_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    watch_disk(Metrics(registry), "spool", tmp_path)
    assert registry.get_sample_value("vedette_disk_size_bytes", {"store": "spool"}) == disk_usage(tmp_path).total
    monkeypatch.setattr("contracts.metrics.disk_usage", lambda folder: disk_usage(folder)._replace(free=7))
    assert registry.get_sample_value("vedette_disk_free_bytes", {"store": "spool"}) == 7
