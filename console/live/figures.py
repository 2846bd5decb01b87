"""What Prometheus is told of agents: no scrape comes to those outside the cluster, but the console hears them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from console.live.fleet import Fleet
from contracts import metrics
from contracts.assignment import agents_of, assigned
from contracts.config import Config


class FleetFigures(Collector):
    """Asked at each scrape. `certificates` gives the ends (ms) of those in use; `version` is the console's own."""

    def __init__(
        self,
        fleet: Fleet,
        config: Callable[[], Config],
        certificates: Callable[[], Mapping[str, int]],
        version: str,
        clock_ms: Callable[[], int],
    ) -> None:
        self._fleet, self._config, self._certificates = fleet, config, certificates
        self._version, self._clock_ms = version, clock_ms

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        now_ms, config = self._clock_ms(), self._config()
        heard, readers = self._fleet.agents(now_ms), self._fleet.readers(now_ms)
        own = {name: agent for name, agent in assigned(config).items() if config.cameras[name].enabled}
        # Nobody waits for a word of an agent that has no camera.
        awaited = set(own.values())
        reported = {name: 0.0 for name in agents_of(config) if not awaited.isdisjoint((name, None))}
        reported |= {name: one.at_ms / 1000 for name, one in heard.items()}
        outdated = [(name, one.version, float(one.version != self._version)) for name, one in heard.items()]
        yield _gauge(metrics.AGENT_REPORTED, reported.items())
        yield _gauge(metrics.AGENT_CAMERAS, [(name, len(one.cameras)) for name, one in heard.items()])
        yield _gauge(metrics.AGENT_SPOOL, [(name, one.spool_bytes) for name, one in heard.items()])
        yield _gauge(metrics.AGENT_OUTDATED, outdated)
        yield _gauge(metrics.AGENT_CERTIFICATE, [(name, ms / 1000) for name, ms in self._certificates().items()])
        yield _gauge(
            metrics.CAMERA_READERS,
            [(name, agent or "", len(readers.get(name, ()))) for name, agent in own.items()],
        )


def _gauge(metric: metrics.Metric, rows: Iterable[tuple[*tuple[str, ...], float]]) -> GaugeMetricFamily:
    """The metric with a value after its labels in each row."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for *labels, value in rows:
        family.add_metric([str(label) for label in labels], float(value))
    return family
