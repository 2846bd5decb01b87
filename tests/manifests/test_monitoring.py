"""Prometheus' rules and Alertmanager's routes: what their own tools say, and that code and runbooks agree with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.metrics import ALL
from tests.manifests.promql import faults, recorded_labels

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())["groups"] for rule in group["rules"]
]
FAMILIES = {metric.name for metric in ALL}
WRITTEN_LIKE_ALERTS = {"FlinkDeployment", "OutOfMemory"}
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = recorded_labels(RULES)

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool (Debian: prometheus)")
needs_amtool = pytest.mark.skipif(not shutil.which("amtool"), reason="needs amtool (Debian: prometheus-alertmanager)")
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=[rule["alert"] for rule in ALERTS])


def _said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_takes_the_rules_and_the_config() -> None:
    assert f"{len(RULES)} rules found" in _said("promtool", "check", "rules", PROMETHEUS / "rules.yaml")
    _said("promtool", "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yaml")


@needs_promtool
def test_each_alert_fires_at_its_fault_and_is_quiet_before_and_after() -> None:
    assert "SUCCESS" in _said("promtool", "test", "rules", PROMETHEUS / "rules.test.yaml")


@every_alert
def test_each_alert_is_provoked_in_the_rules_tests(alert: dict[str, Any]) -> None:
    text = (PROMETHEUS / "rules.test.yaml").read_text()
    assert re.search(rf'alertname(="|: ){alert["alert"]}\b', text)


@needs_amtool
def test_amtool_takes_the_routes() -> None:
    assert "SUCCESS" in _said("amtool", "check-config", PROMETHEUS / "alertmanager.yaml")


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param(("part=edge", "severity=critical"), "at-once", id="critical"),
        pytest.param(("part=edge", "severity=warning"), "in-working-hours", id="warning"),
        pytest.param(("severity=critical", "camera=gate"), "nobody", id="what a camera sees"),
        pytest.param(
            ("alertname=Heartbeat", "part=platform", "severity=none"), "heartbeat", id="that somebody watches"
        ),
    ],
)
def test_routes_go_by_severity_and_leave_alone_what_cameras_see(labels: tuple[str, ...], receiver: str) -> None:
    config = f"--config.file={PROMETHEUS / 'alertmanager.yaml'}"
    assert _said("amtool", "config", "routes", "test", config, *labels).strip() == receiver


def test_inhibitions_name_alerts_that_exist() -> None:
    config = yaml.safe_load((PROMETHEUS / "alertmanager.yaml").read_text())
    matchers = [one for rule in config["inhibit_rules"] for one in (*rule["source_matchers"], *rule["target_matchers"])]
    named = {name for one in matchers for name in re.findall(r"[A-Z]\w+", one)}
    assert named <= {rule["alert"] for rule in ALERTS}
    assert {"AgentSilent", "CameraDown"} <= named


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] for rule in RULES])
def test_rules_name_metrics_and_labels_of_the_code(rule: dict[str, Any]) -> None:
    assert faults(rule["expr"], RECORDED) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("vedette_camera_upp == 0", "vedette_camera_upp is not declared"),
        ("vedette_capture_to_alert_seconds", "vedette_capture_to_alert_seconds is not declared"),
        ('vedette_camera_up{site="x"}', "vedette_camera_up has no label site"),
        ("sum by (namespace, reason) (vedette_camera_up)", "no series here has the label reason"),
    ],
)
def test_wrong_names_and_labels_are_found(expression: str, fault: str) -> None:
    assert faults(expression, RECORDED) == [fault]


@every_alert
def test_alerts_say_what_is_wrong_how_bad_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning", *(["none"] if alert["alert"] == "Heartbeat" else []))
    assert alert["labels"]["part"] in ("edge", "stream", "archive", "console", "platform")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == "{{ $externalLabels.docs }}/runbooks/" + alert["alert"] + ".md"


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == sorted({rule["alert"] for rule in ALERTS})


@every_alert
def test_runbooks_answer_four_questions(alert: dict[str, Any]) -> None:
    text = (RUNBOOKS / f"{alert['alert']}.md").read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    headings = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    assert headings == ["What it means.", "What to look at", "What to do", "When it is over."]


def test_runbooks_name_metrics_and_alerts_that_exist() -> None:
    known = {rule["alert"] for rule in ALERTS} | WRITTEN_LIKE_ALERTS
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text()
        names = {name for name in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text)}
        assert names <= known, path.name
        series = re.findall(r"`(vedette[_:][^`]+)`", text)
        assert {one for one in series if one not in FAMILIES and faults(one, RECORDED)} == set(), path.name
