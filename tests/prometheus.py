"""A real Prometheus (Debian: prometheus) for tests: it scrapes once a second what it is told, and is asked by HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
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

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        found = self.get("alerts") or {"alerts": []}
        return {one["labels"]["alertname"] for one in found["alerts"] if one["state"] == "firing"}


@contextmanager
def prometheus(folder: Path, rules: Path, jobs: Mapping[str, int]) -> Iterator[Prometheus]:
    """Start one with these rules over the metrics of jobs by their ports; ends it."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"docs": "https://docs"}},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [f"127.0.0.1:{target}"], "labels": {"namespace": "any"}}],
            }
            for job, target in jobs.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            ["prometheus", *command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Prometheus(port)
    finally:
        started.kill()
        started.wait()
