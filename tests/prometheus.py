"""A real Prometheus (Debian: prometheus) for tests: it scrapes once a second what it is told, and is asked by HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from stream.jobs.ports import free_port

needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs Prometheus (Debian: prometheus)")


class Prometheus:
    """A real one, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **query: str) -> Any:
        """The answer's data; None before it listens, and while it says that it is still starting."""
        try:
            with urllib.request.urlopen(
                f"{self._address}/{path}?{urllib.parse.urlencode(query)}", timeout=10
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return None
        except OSError:
            return None

    def traces(self, series: str) -> set[str]:
        """The traces that a series' exemplars of the last ten minutes lead to."""
        now_s = time.time()
        found = self.get("query_exemplars", query=series, start=str(now_s - 600), end=str(now_s + 60)) or []
        return {one["labels"]["trace_id"] for each in found for one in each["exemplars"]}


@contextmanager
def prometheus(
    folder: Path, rules: Path, jobs: Mapping[str, Sequence[int]], tokens: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Prometheus]:
    """Start one with these rules over the metrics of jobs by their ports, some with a token; ends it."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"docs": "https://docs"}},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"namespace": "any"}}
                ],
                **({"authorization": {"credentials": tokens[job]}} if job in tokens else {}),
            }
            for job, ports in jobs.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        *("prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"),
        *("--enable-feature=exemplar-storage", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Prometheus(port)
    finally:
        started.kill()
        started.wait()
