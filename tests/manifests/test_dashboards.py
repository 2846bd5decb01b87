"""Grafana's dashboards: what the code makes, of metrics that exist, and with the way to the runbooks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests.promql import faults
from tests.manifests.test_monitoring import ALERTS, RECORDED, ROOT, needs_promtool

GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = sorted(GRAFANA.glob("*.json"))

every_board = pytest.mark.parametrize("board", BOARDS, ids=[board.stem for board in BOARDS])


def _panels(board: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(board.read_text())["panels"] if panel["type"] != "row"]


def expressions(board: Path) -> Iterator[tuple[str, str]]:
    for panel in _panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_the_files_are_what_the_code_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GRAFANA / "make.py", tmp_path], check=True, capture_output=True, timeout=120)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {board.name: board.read_text() for board in BOARDS}
    assert set(made) == {
        f"{one}.json" for one in ("fleet", "camera", "stream", "models", "identification", "operators", "cost")
    }


@every_board
def test_panels_name_metrics_and_labels_of_the_code(board: Path) -> None:
    found = {f"{title}: {fault}" for title, expression in expressions(board) for fault in faults(expression, RECORDED)}
    assert found == set()


@needs_promtool
def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    known = {"$__rate_interval": "1m", "$__range": "6h", "$namespace": "v", "$camera": "gate"}
    rules = []
    for count, (_, expression) in enumerate(pair for board in BOARDS for pair in expressions(board)):
        for name, value in known.items():
            expression = expression.replace(name, value)
        rules.append({"record": f"panel:{count}", "expr": expression})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(rules) > 80


@every_board
def test_each_panel_has_a_title_a_unit_and_a_query_for_each_series(board: Path) -> None:
    for panel in _panels(board):
        assert panel["title"]
        if panel["type"] in ("timeseries", "stat"):
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names) > 0, panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@every_board
def test_seconds_have_the_unit_of_seconds(board: Path) -> None:
    for panel in _panels(board):
        for target in panel["targets"]:
            if re.search(r"_seconds(_bucket|:sum|\{)", target["expr"]) and "_count" not in target["expr"]:
                assert panel["fieldConfig"]["defaults"]["unit"] == "s", panel["title"]


def test_links_lead_to_runbooks_that_exist_and_every_alert_of_ours_is_reached() -> None:
    linked = {
        match[1]
        for board in BOARDS
        for panel in _panels(board)
        for link in panel.get("links", [])
        if (match := re.fullmatch(r"\$\{docs\}/runbooks/(\w+)\.md", link["url"]))
    }
    platform = {rule["alert"] for rule in ALERTS if rule["labels"]["part"] == "platform"}
    assert linked - platform == {rule["alert"] for rule in ALERTS} - platform


@every_board
def test_a_site_can_be_picked_and_a_camera_where_it_counts(board: Path) -> None:
    names = [variable["name"] for variable in json.loads(board.read_text())["templating"]["list"]]
    uses_camera = any("$camera" in expression for _, expression in expressions(board))
    assert names == ["source", "namespace", *(["camera"] if uses_camera else []), "docs"]
