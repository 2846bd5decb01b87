"""The real broker that the integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vedette.broker import Broker, BrokerConfig


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the session; a test uses a site of its own, and starts the broker again when it stopped it."""
    with Broker(BrokerConfig(tmp_path_factory.mktemp("kafka"), heap_mb=256)) as broker:
        yield broker
