"""Spans as OpenTelemetry's, sent in batches by OTLP over HTTP; the library reads the standard environment variables."""

from __future__ import annotations

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from contracts.trace import Span, Stage, ids_of

KINDS: dict[Stage, SpanKind] = {
    "publish": SpanKind.PRODUCER,
    "detect": SpanKind.CONSUMER,
    "decide": SpanKind.CONSUMER,
    "store": SpanKind.CONSUMER,
    "notify": SpanKind.CLIENT,
}
SCOPE = InstrumentationScope("vedette")
NS_PER_MS = 1_000_000


class Sender:
    """One thread sends what `send` takes; while the collector is away spans are lost, and nothing else is."""

    def __init__(self, service: str) -> None:
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
        self._resource = Resource.create(named)
        self._batches = BatchSpanProcessor(OTLPSpanExporter())

    def send(self, span: Span) -> None:
        """Take a span; one that belongs to no trace is let go."""
        context = _context(span.traceparent)
        if context is not None:
            self._batches.on_end(_readable(span, context, self._resource))

    def close(self) -> None:
        """Send what waits, and end."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]


def _readable(span: Span, context: SpanContext, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.stage,
        context=context,
        parent=_context(span.parent),
        resource=resource,
        attributes={f"vedette.{name}": value for name, value in span.attributes.items()},
        kind=KINDS.get(span.stage, SpanKind.INTERNAL),
        start_time=span.begun_ms * NS_PER_MS,
        # The clocks of two machines may disagree; a span never ends before it begins.
        end_time=max(span.begun_ms, span.ended_ms) * NS_PER_MS,
        instrumentation_scope=SCOPE,
    )


def _context(traceparent: str) -> SpanContext | None:
    ids = ids_of(traceparent)
    return None if ids is None else SpanContext(int(ids[0], 16), int(ids[1], 16), True, TraceFlags(TraceFlags.SAMPLED))
