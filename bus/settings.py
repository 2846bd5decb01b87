"""What all connections to the broker have in common."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import KafkaError

from contracts.broker import BrokerAddress

log = logging.getLogger(__name__)

CONNECT_S = 3.0
"""How long one attempt to connect lasts."""

ANSWER_S = 10.0
"""How long a broker that is there may take for an answer: one that shares two cores with starting jobs has taken 4."""

SILENT = 2
"""librdkafka says at every attempt that the broker is away (levels 3 and up); who waits for it says so once."""


class Aside:
    """The last thing that librdkafka said about its connections: more telling than the errors of its calls."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # that follows each reason, and adds nothing
            self.text = error.str()


def settings(bootstrap: str, aside: Aside) -> dict[str, Any]:
    """For a client of the broker at `bootstrap` (see contracts/broker.py); raises ConfigError."""
    address = BrokerAddress.parse(bootstrap)
    return {
        "bootstrap.servers": address.servers,
        **_tls(address),
        "allow.auto.create.topics": False,
        # The default of 10 s would be most of the time between the broker's return and the first record.
        "reconnect.backoff.max.ms": 1000,
        "socket.timeout.ms": 10_000,
        "socket.nagle.disable": True,
        "enable.metrics.push": False,
        "log_level": SILENT,
        "logger": log,
        "error_cb": aside,
    }


def _tls(address: BrokerAddress) -> dict[str, str]:
    """librdkafka's names for it. The broker's name is checked against its certificate, which is the default."""
    if not address.ca:
        return {}
    files = {
        "ssl.ca.location": address.ca,
        "ssl.certificate.location": address.certificate,
        "ssl.key.location": address.key,
    }
    return {"security.protocol": "ssl", **{name: file for name, file in files.items() if file}}
