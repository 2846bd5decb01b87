"""What Kubernetes' operators read of our monitoring: the rules as a PrometheusRule, the dashboards as ConfigMaps.

Made from deploy/prometheus/rules.yaml and deploy/grafana/*.json, which machines without Kubernetes use as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DASHBOARD = {"grafana_dashboard": "1"}
"""The label by which Grafana's sidecar (kube-prometheus-stack) finds dashboards."""


def objects(deploy: Path) -> dict[str, list[dict[str, Any]]]:
    """The objects by the names of their files in the component; raises OSError."""
    rules = yaml.safe_load((deploy / "prometheus" / "rules.yaml").read_text())
    boards = sorted((deploy / "grafana").glob("*.json"))
    return {
        "rules.yaml": [
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "PrometheusRule",
                "metadata": {"name": "vedette"},
                "spec": {"groups": rules["groups"]},
            }
        ],
        "dashboards.yaml": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"dashboard-{board.stem}", "labels": DASHBOARD},
                "data": {f"vedette-{board.name}": board.read_text()},
            }
            for board in boards
        ],
    }
