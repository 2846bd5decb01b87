"""Spans on their way to a collector: the only place that knows OpenTelemetry."""

from telemetry.tracer import Tracer, open_tracer

__all__ = ["Tracer", "open_tracer"]
