"""Spans at a real receiver of OTLP over HTTP, as the standard environment variables have it."""

from __future__ import annotations

import time

import pytest

from contracts.trace import Span, child, first
from telemetry import Tracer, open_tracer
from telemetry.tracer import ENDPOINTS
from tests.otlp import spans_of
from tests.receivers import http_receiver

FIRST = first("home", "gate", 3, 44, 1_767_571_200_123)


def test_without_an_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert open_tracer("test") == Tracer()


def test_spans_arrive_with_their_parents_times_and_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    detect = child(FIRST, "detect")
    with http_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        tracer = open_tracer("test")
        tracer.record(Span("capture", FIRST, "", 1_000, 1_010, {"camera": "gate", "bytes": 7}))
        tracer.record(Span("detect", detect, FIRST, 1_020, 1_015))
        tracer.record(Span("detect", "", "", 1, 2))
        tracer.close()
        by_name = {span.name: span for span in spans_of(receiver)}
    assert {one.path for one in receiver.got} == {"/v1/traces"}
    assert set(by_name) == {"capture", "detect"}
    assert by_name["capture"].service == "vedette-test"
    assert by_name["capture"].parent == ""
    assert by_name["detect"].parent == by_name["capture"].id
    assert by_name["detect"].trace == by_name["capture"].trace == FIRST[3:35]
    assert (by_name["capture"].begun_ms, by_name["capture"].ended_ms) == (1_000, 1_010)
    assert by_name["detect"].ended_ms == 1_020  # never before its beginning, whatever two clocks say
    assert by_name["capture"].attributes == {"vedette.camera": "gate", "vedette.bytes": 7}


def test_a_collector_that_is_away_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    tracer = open_tracer("test")
    began_s = time.monotonic()
    for index in range(5000):
        tracer.record(Span("capture", first("home", "gate", 1, index, 1), "", 1, 2))
    tracer.close()
    assert time.monotonic() - began_s < 30
