"""The metrics of the jobs' process are served where the config says."""

from __future__ import annotations

import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from contracts.metrics import TASK_RESTARTS
from stream.jobs.ports import free_port, is_free
from stream.jobs.process import ProcessSettings, opened, process_of


def test_metrics_are_on_the_host_that_is_wanted() -> None:
    settings = ProcessSettings(metrics_host="127.0.0.2", metrics_port=free_port())
    assert is_free(settings.metrics_port, settings.metrics_host)
    process_of(settings)
    with urllib.request.urlopen(f"http://127.0.0.2:{settings.metrics_port}/metrics", timeout=5) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5)
    assert not is_free(settings.metrics_port, settings.metrics_host)


@pytest.mark.parametrize(("attempt", "counted"), [(0, 0.0), (1, 1.0), (2, 1.0)])
def test_a_task_that_is_opened_again_is_counted(attempt: int, counted: float) -> None:
    task = f"task-{attempt}"
    info = SimpleNamespace(getAttemptNumber=lambda: attempt)
    context = SimpleNamespace(_runtime_context=SimpleNamespace(getTaskInfo=lambda: info))
    process = opened(ProcessSettings(), context, task)
    assert process.metrics.counter(TASK_RESTARTS, task)._value.get() == counted


def test_a_host_that_is_none_of_ours_is_not_free() -> None:
    assert not is_free(free_port(), "192.0.2.1")
