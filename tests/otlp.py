"""What a receiver of OTLP over HTTP got, as plain spans."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.receivers import HttpReceiver


@dataclass(frozen=True)
class Received:
    """One span: ids as hex digits, "" for no parent."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    begun_ms: int
    ended_ms: int
    attributes: dict[str, str | int] = field(default_factory=dict)


def spans_of(receiver: HttpReceiver) -> Iterator[Received]:
    """All spans that came by now."""
    for request in [one for one in receiver.got if one.path == "/v1/traces"]:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield Received(
                        name=span.name,
                        service=names["service.name"],
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        begun_ms=span.start_time_unix_nano // 1_000_000,
                        ended_ms=span.end_time_unix_nano // 1_000_000,
                        attributes={one.key: one.value.string_value or one.value.int_value for one in span.attributes},
                    )
