"""Restarts: told once each with their cause, and given up when they are a loop."""

from __future__ import annotations

import logging

import pytest

from stream.jobs.supervise import Failure, Limits, Watch, root_cause, task_name

JAVA = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.A.b(A.java:1)
Caused by: java.lang.RuntimeException: Could not open
\tat org.apache.flink.C.d(C.java:2)
Caused by: pemja.core.PythonException: <class 'contracts.errors.ModelError'>: x.onnx is not the file of its manifest
\tat stream.jobs.detect.open(detect.py:40)
"""


def test_the_root_cause_is_the_last_one() -> None:
    assert root_cause(JAVA) == "<class 'contracts.errors.ModelError'>: x.onnx is not the file of its manifest"
    assert root_cause("java.io.IOException: gone\n\tat A.b") == "java.io.IOException: gone"
    assert root_cause("") == "no word"


@pytest.mark.parametrize(
    ("chain", "name"),
    [
        (
            "Source: KafkaSource-vedette.kafka.records -> detect-source rows -> detect -> (to detections: Writer -> "
            "to detections: Committer, to dead-letters: Writer -> to dead-letters: Committer) (1/1) - execution #3",
            "detect",
        ),
        ("decide -> (to tracks: Writer -> to tracks: Committer) (1/2) - execution #0", "decide"),
        ("", "the job"),
    ],
)
def test_a_task_is_named_after_its_operator(chain: str, name: str) -> None:
    assert task_name(chain) == name


def test_each_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    known: list[Failure] = []
    watch = Watch(lambda: known)
    known.append(Failure(1_000, "detect", "no memory"))
    with caplog.at_level(logging.WARNING):
        assert watch.look(0.0) is None
        assert watch.look(1.0) is None
    assert caplog.messages == ["detect is started again: no memory"]


def test_a_loop_is_given_up_with_its_cause_and_single_restarts_are_not() -> None:
    known: list[Failure] = []
    watch = Watch(lambda: known, Limits(restarts=3, within_s=60.0))
    causes = []
    for number, now_s in enumerate((0.0, 50.0, 100.0, 120.0, 121.0)):
        known.append(Failure(1_000 + number, "decide", f"cause {number}"))
        causes.append(watch.look(now_s))
    # 50, 100, 120: three are within 60 s for the first time at 121, as 50 and 120 are 70 s apart.
    assert causes == [None, None, None, None, "cause 4"]
