"""Looks after the submitted jobs: says that they run, why they were started again, and gives up a loop of restarts."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyflink.common import JobStatus
from pyflink.common.job_client import JobClient

from stream.jobs.exits import EXIT_FAILED, EXIT_LOOP

log = logging.getLogger("vedette.jobs")

LOOK_S = 0.3
"""How often the jobs' state is asked for: a restart waits for half a second at least."""


@dataclass(frozen=True)
class Limits:
    """How many restarts in how long are a loop. The pauses between ten in a row add up to 45 s."""

    restarts: int = 10
    within_s: float = 300.0


class Failure(NamedTuple):
    """What Flink started a pipeline again for."""

    at_ms: int
    task: str
    cause: str


class Flink:
    """What the mini cluster's REST interface says of one job."""

    def __init__(self, port: int, job_id: str) -> None:
        self._url = f"http://127.0.0.1:{port}/jobs/{job_id}"

    def failures(self) -> list[Failure]:
        """The last failures, the oldest first. Raises OSError or ValueError when there is no answer."""
        entries = self._get("/exceptions?maxExceptions=20")["exceptionHistory"]["entries"]
        found = [
            Failure(entry["timestamp"], task_name(entry.get("taskName") or ""), root_cause(entry["stacktrace"]))
            for entry in entries
        ]
        return sorted(found)

    def runs(self) -> bool:
        """Whether every task does. Raises OSError or ValueError when there is no answer."""
        return all(vertex["status"] == "RUNNING" for vertex in self._get("")["vertices"])

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=5) as answer:  # noqa: S310  our own http address
            return json.load(answer)


def task_name(chain: str) -> str:
    """The operator of ours in Flink's name of a task, which is the whole chain from the source to the writers."""
    parts = [part.strip(" (") for part in chain.partition(" (1/")[0].split("->")]
    ours = [part for part in parts if part and not part.startswith(("Source:", "to ")) and not part.endswith(" rows")]
    return ours[0] if ours else chain or "the job"


def root_cause(trace: str) -> str:
    """The line of a Java or Python trace that says what was wrong."""
    lines = [line.strip() for line in trace.splitlines()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    cause = (causes or lines or ["no word"])[-1 if causes else 0]
    return cause.removeprefix("pemja.core.PythonException: ")[:500]


@dataclass
class Watch:
    """Counts restarts; `failures` gives the last ones. Ask `look` now and then."""

    failures: Callable[[], Iterable[Failure]]
    limits: Limits = Limits()
    _seen_ms: int = 0
    _times_s: deque[float] = field(default_factory=deque)

    def look(self, now_s: float) -> str | None:
        """Log what is new; returns the cause once it is a loop. `now_s` is of a clock that only goes forward."""
        for failure in self.failures():
            if failure.at_ms <= self._seen_ms:
                continue
            self._seen_ms = failure.at_ms
            self._times_s.append(now_s)
            log.warning("%s is started again: %s", failure.task, failure.cause)
            while self._times_s[0] < now_s - self.limits.within_s:
                self._times_s.popleft()
            if len(self._times_s) >= self.limits.restarts:
                return failure.cause
        return None


def supervise(client: JobClient, flink: Flink, stop: threading.Event, limits: Limits = Limits()) -> int:
    """Until `stop` is set, which gives 0, or the jobs are no more: EXIT_FAILED, or EXIT_LOOP for a loop of restarts."""
    watch = Watch(flink.failures, limits)
    said_running = False
    while not stop.wait(LOOK_S):
        status = client.get_job_status().result()
        try:
            if status in (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.FINISHED):
                watch.look(time.monotonic())
                log.error("the jobs are %s", status.name)
                return EXIT_FAILED
            if not said_running and status is JobStatus.RUNNING and flink.runs():
                said_running = True
                log.warning("the jobs run")
            restarts = not said_running or status is JobStatus.RESTARTING
            if restarts and (cause := watch.look(time.monotonic())) is not None:
                count, minutes = limits.restarts, limits.within_s / 60
                log.error("given up after %d restarts within %g min: %s", count, minutes, cause)
                return EXIT_LOOP
        except (OSError, ValueError, KeyError) as error:
            log.info("Flink's REST interface does not answer: %s", error)
    return 0
