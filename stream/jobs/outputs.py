"""The side outputs of the keyed jobs, and how decisions become records on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from pyflink.datastream import DataStream, OutputTag

from contracts import metrics as names
from contracts import topics
from contracts.codec import encode
from contracts.fields import QUESTION
from contracts.messages import Alert, Event
from contracts.metrics import Metrics
from contracts.people import Sighting
from contracts.trace import exemplar
from stream.jobs.clock import Clock, now_ms
from stream.jobs.guard import dead_letters_tag
from stream.jobs.kafka import KafkaEnds, keyed, keyed_type, side_output


def events_tag() -> OutputTag:
    """The side output of events; made anew for each use."""
    return OutputTag("events", keyed_type())


def alerts_tag() -> OutputTag:
    """The side output of alerts; made anew for each use."""
    return OutputTag("alerts", keyed_type())


def sightings_tag() -> OutputTag:
    """The side output of sightings; made anew for each use."""
    return OutputTag("sightings", keyed_type())


class Outputs:
    """Writes events, alerts and sightings to the side outputs and counts them."""

    def __init__(self, metrics: Metrics, clock: Clock = now_ms) -> None:
        self._metrics = metrics
        self._clock = clock
        self._events = events_tag()
        self._alerts = alerts_tag()
        self._sightings = sightings_tag()

    def records(self, events: Iterable[Event], alerts: Iterable[Alert]) -> Iterator[Any]:
        """Yield (tag, record): alerts first, as somebody waits for them. Fills in `decided_at_ms`."""
        for alert in alerts:
            decided = msgspec.structs.replace(alert, decided_at_ms=self._clock())
            self._count(decided)
            yield self._alerts, keyed(alert.camera, encode(decided))
        for event in events:
            if not event.ended:
                self._metrics.counter(names.RULES_FIRED, event.camera, event.rule or event.kind).inc()
            yield self._events, keyed(event.camera, encode(event))

    def sightings(self, sightings: Iterable[Sighting]) -> Iterator[Any]:
        """Yield (tag, record), keyed by the site: one job clusters them."""
        for one in sightings:
            yield self._sightings, keyed(one.site, encode(one))

    def _count(self, alert: Alert) -> None:
        if alert.kind == QUESTION:
            return  # it alerts nobody
        self._metrics.counter(names.ALERTS, alert.camera, alert.severity, alert.state).inc()
        if alert.state == "new" and not alert.late and alert.evidence is not None:
            seconds = max(0, alert.decided_at_ms - alert.at_ms) / 1000
            self._metrics.histogram(names.CAPTURE_TO_ALERT, alert.camera).observe(seconds, exemplar(alert.traceparent))


def write(ends: KafkaEnds, main: DataStream, topic: str, uid: str) -> None:
    """Send a keyed job's outputs to their topics."""
    ends.sink(main, topic, uid)
    ends.sink(side_output(main, alerts_tag()), topics.ALERTS, uid)
    ends.sink(side_output(main, events_tag()), topics.EVENTS, uid)
    ends.sink(side_output(main, dead_letters_tag()), topics.DEAD_LETTERS, uid)
