"""The broker's address: one line that says where it is and with which files it is spoken to."""

from __future__ import annotations

import pytest

from contracts.broker import BrokerAddress
from contracts.config import Kafka, KafkaTls, broker_address
from contracts.errors import ConfigError
from stream.jobs.kafka import KafkaEnds

FULL = BrokerAddress("a:9093,b:9093", "/tls/ca.crt", "/tls/user.crt", "/tls/user key.pem")


@pytest.mark.parametrize(
    "address",
    [BrokerAddress("localhost:9092"), BrokerAddress("[::1]:9093", "/tls/ca.crt"), FULL],
    ids=["plain", "one-sided TLS", "mutual TLS"],
)
def test_an_address_is_read_as_it_was_written(address: BrokerAddress) -> None:
    assert BrokerAddress.parse(str(address)) == address


def test_a_plain_address_is_kafkas_own() -> None:
    assert str(BrokerAddress("a:1,b:2")) == "a:1,b:2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not host:port"),
        ("kafka", "is not host:port"),
        ("kafka:0", "is not host:port"),
        ("kafka:70000", "is not host:port"),
        ("a:1,,b:2", "is not host:port"),
        ("a:1?password=x", "`password` is none of ca, certificate, key"),
        ("a:1?ca=/ca&key=/key", "certificate and key belong together"),
        ("a:1?certificate=/c&key=/key", "whom to trust is missing"),
    ],
)
def test_what_is_no_address_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        BrokerAddress.parse(text)


def test_the_config_names_it() -> None:
    tls = KafkaTls(ca="/tls/ca.crt", certificate="/tls/user.crt", key="/tls/user.key")
    named = broker_address(Kafka(bootstrap_servers=("a:1", "b:2"), tls=tls))
    assert str(named) == "a:1,b:2?ca=/tls/ca.crt&certificate=/tls/user.crt&key=/tls/user.key"
    assert broker_address(Kafka()) is None


def test_javas_client_gets_references_to_the_key_and_never_the_key() -> None:
    properties = KafkaEnds("a:1?ca=/tls/ca.crt&certificate=/tls/user.crt&key=/keys/user.key").connection()
    assert properties["bootstrap.servers"] == "a:1"
    assert properties["ssl.truststore.location"] == "/tls/ca.crt"
    assert properties["ssl.keystore.certificate.chain"] == "${files:/tls:user.crt}"
    assert properties["ssl.keystore.key"] == "${files:/keys:user.key}"
