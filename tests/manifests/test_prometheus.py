"""Every expression of rules and dashboards, asked of a real Prometheus that scrapes all declared metrics."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from contracts import metrics as names
from contracts.metrics import ALL, Metrics
from contracts.trace import exemplar, first
from stream.jobs.ports import free_port
from tests.manifests.test_dashboards import BOARDS, expressions
from tests.manifests.test_monitoring import PROMETHEUS, RULES
from tests.prometheus import Prometheus, needs_prometheus, prometheus

PATIENCE_S = 60.0
TRACED = first("home", "gate", 1, 1, 1_767_571_200_123)
CHOICES = {"$__rate_interval": "15s", "$__range": "15s", "$namespace": ".*", "$camera": ".*"}
LABELS = {
    "outcome": ("taken", "refused"),
    "state": ("new",),
    "verdict": ("true", "nuisance"),
    "decision": ("identified", "unknown"),
    "severity": ("high",),
    "answer": ("not_person", "is_person"),
}
FLINK = (
    *("taskmanager_job_task_operator_pendingRecords", "taskmanager_job_task_operator_numRecordsIn"),
    *("taskmanager_job_task_busyTimeMsPerSecond", "taskmanager_job_task_backPressuredTimeMsPerSecond"),
    *("jobmanager_job_numberOfFailedCheckpoints", "jobmanager_job_numberOfCompletedCheckpoints"),
    *("jobmanager_job_lastCheckpointDuration", "jobmanager_job_lastCheckpointSize"),
)
"""Flink's own names, as its reporter gives them."""
KUBERNETES = {
    "container_cpu_usage_seconds_total": {"container": "flink-main-container"},
    "container_memory_working_set_bytes": {"container": "flink-main-container"},
    "kubelet_volume_stats_used_bytes": {"persistentvolumeclaim": "archive"},
}
"""The kubelet's, with the labels that panels pick by."""

pytestmark = needs_prometheus


class Everything:
    """A process that has every metric; each `count` counts something of each."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics = Metrics(self.registry)
        flink = [Gauge(f"flink_{name}", name, ["task_name"], registry=self.registry) for name in FLINK]
        kubelet = [Gauge(name, name, [*labels], registry=self.registry) for name, labels in KUBERNETES.items()]
        self._others = [gauge.labels("any") for gauge in flink]
        self._others += [gauge.labels(**labels) for gauge, labels in zip(kubelet, KUBERNETES.values(), strict=True)]

    def count(self) -> None:
        for metric in ALL:
            for labels in itertools.product(*(LABELS.get(label, ("any",)) for label in metric.labels)):
                match metric.kind:
                    case "counter":
                        self._metrics.counter(metric, *labels).inc()
                    case "gauge":
                        self._metrics.gauge(metric, *labels).set(1)
                    case "histogram":
                        self._metrics.histogram(metric, *labels).observe(0.2, exemplar(TRACED))
        for gauge in self._others:
            gauge.inc(5)


@pytest.fixture(scope="module")
def everything() -> Everything:
    return Everything()


@pytest.fixture(scope="module")
def asked(everything: Everything, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    target = free_port()
    everything.count()
    server, _ = start_http_server(target, "127.0.0.1", everything.registry)
    with prometheus(tmp_path_factory.mktemp("prometheus"), PROMETHEUS / "rules.yaml", {"agent": [target]}) as started:
        yield started
    server.shutdown()
    server.server_close()


def _expressions() -> dict[str, str]:
    """What each panel and each recording rule asks, by its place."""
    found = {f"recorded: {rule['record']}": rule["record"] for rule in RULES if "record" in rule}
    for board in BOARDS:
        for title, expression in expressions(board):
            for name, value in CHOICES.items():
                expression = expression.replace(name, value)
            found[f"{board.stem}: {title}: {expression}"] = expression
    return found


def test_every_panel_and_every_recording_rule_returns_data(everything: Everything, asked: Prometheus) -> None:
    waiting = _expressions()
    assert len(waiting) > 90
    until = time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < until:
        everything.count()
        time.sleep(1)
        answers = {place: asked.get("query", query=expression) for place, expression in waiting.items()}
        waiting = {place: waiting[place] for place, data in answers.items() if not data or not data["result"]}
    assert waiting == {}


def test_a_latency_leads_to_the_trace_of_a_frame(everything: Everything, asked: Prometheus) -> None:
    everything.count()
    traces = eventually_found(lambda: asked.traces(f"{names.CAPTURE_TO_ALERT.name}_bucket"))
    assert traces == {TRACED[3:35]}


def eventually_found(find: Callable[[], set[str]]) -> set[str]:
    until = time.monotonic() + PATIENCE_S
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def test_no_rule_fails_and_alerts_on_what_is_counted_fire(everything: Everything, asked: Prometheus) -> None:
    until = time.monotonic() + PATIENCE_S
    wanted = {"DeadLetters", "EvidenceMissed", "FaceVectorsDropped", "FramesDropped", "TaskRestarts"}
    wanted |= {"ModelRefused", "ModelFails", "ModelTakenBack"}
    firing: set[str] = set()
    while not wanted <= firing and time.monotonic() < until:
        everything.count()
        time.sleep(1)
        firing = {one["labels"]["alertname"] for one in (asked.get("alerts") or {"alerts": []})["alerts"]}
    assert wanted <= firing
    rules = [rule for group in asked.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(RULES)
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
