"""deploy/compose.yaml: valid by the compose specification's schema, and saying the same as code and manifests."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contracts.config.services import Console, Edge, Stream
from contracts.config_check import missing_secrets
from contracts.config_file import load
from contracts.topics import MAX_MESSAGE_BYTES
from contracts.trace import exemplar, first
from telemetry.tracer import ENDPOINTS
from tests.images.dockerfile import Stage, read
from tests.manifests.overlays import Object, built, not_taken

DEPLOY = Path(__file__).parents[2] / "deploy"
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
"""Of compose-go 2.16.2 (Apache-2.0)."""
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Object] = COMPOSE["services"]
SITE = load(DEPLOY / "compose" / "site.yaml")
OURS = {name: one for name, one in SERVICES.items() if "_IMAGE:-vedette/" in one["image"]}


def _faults(compose: Object) -> list[str]:
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(compose)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


def test_it_is_valid_and_has_no_unknown_field() -> None:
    assert _faults(COMPOSE) == []


def test_an_unknown_field_is_found() -> None:
    assert _faults({**COMPOSE, "services": {**SERVICES, "kafka": {**SERVICES["kafka"], "imagge": "x"}}})


def _stage(service: str) -> Stage:
    """The last stage of our image's file."""
    name = re.search(r"vedette/(\w+):", SERVICES[service]["image"])
    assert name is not None
    return read(DEPLOY / "images" / f"{name[1]}.Dockerfile", {})[-1]


def test_images_are_pinned_by_variable_and_ours_are_of_this_version() -> None:
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["version"]
    for name, one in SERVICES.items():
        found = re.fullmatch(r"\$\{([A-Z]+)_IMAGE:-([\w./-]+):([\w.-]+)\}", one["image"])
        assert found is not None, name
        assert found[3] != "latest"
        assert name not in OURS or found[3] == version


@pytest.mark.parametrize("service", [name for name in OURS if "manager" not in name])
def test_every_command_is_a_program_that_takes_its_arguments(service: str) -> None:
    entry = _stage(service).last("ENTRYPOINT")
    assert entry is not None
    python, dash_m, module, *arguments = [*entry.words(), *SERVICES[service]["command"]]
    assert (python, dash_m) == ("python", "-m")
    assert not_taken(module, arguments) == []


def test_the_jobs_are_all_jobs_started_as_on_a_cluster() -> None:
    job = next(one for one in built("prod") if one["kind"] == "FlinkDeployment")["spec"]["job"]
    head, name, driver, *arguments = SERVICES["jobmanager"]["command"]
    assert (head, name, driver) == ("standalone-job", "--job-classname", job["entryClass"])
    jobs = importlib.import_module("stream.jobs").JOBS
    *common, jobs_follow = job["args"][:-1]
    # Kubernetes' operator knows what to go on from; here the program looks.
    assert arguments == [*common, "--go-on", jobs_follow, *jobs]


def test_the_broker_takes_what_the_code_sends() -> None:
    assert int(SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) == MAX_MESSAGE_BYTES


def test_the_site_names_services_and_their_ports() -> None:
    assert SITE.kafka.bootstrap_servers == (SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"][12:],)
    text = (DEPLOY / "compose" / "site.yaml").read_text()
    assert set(re.findall(r"(?:@|//)([a-z]+):\d+", text)) <= set(SERVICES)


def test_secrets_that_the_site_names_are_given_by_files_that_the_script_makes(tmp_path: Path) -> None:
    (tmp_path / "secrets.sh").write_text((DEPLOY / "compose" / "secrets.sh").read_text())
    subprocess.run(["bash", tmp_path / "secrets.sh"], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    wanted = [Path(file).name for one in SERVICES.values() for file in one.get("env_file", [])]
    wanted += [Path(secret["file"]).name for secret in COMPOSE["secrets"].values()]
    assert set(made) == set(wanted)
    given = dict(line.split("=", 1) for name in ("agent.env", "console.env") for line in made[name].splitlines())
    assert missing_secrets(SITE, given) == []
    before = made["postgres-password"]
    subprocess.run(["bash", tmp_path / "secrets.sh"], check=True, capture_output=True)
    assert (tmp_path / "secrets" / "postgres-password").read_text() == before
    json.loads(made["s3.json"])


def test_no_secret_stands_in_it() -> None:
    for one in SERVICES.values():
        for name in one.get("environment", {}):
            assert not re.search(r"PASSWORD$|SECRET$|TOKEN$|_KEY$", name)


def test_what_is_mounted_is_there() -> None:
    mounts = [mount.split(":") for one in SERVICES.values() for mount in one.get("volumes", [])]
    for source, *_ in mounts:
        if source.startswith("./"):
            assert (DEPLOY / source).exists(), source
        elif not source.startswith("${"):
            assert source in COMPOSE["volumes"]


def _is_checked(service: str) -> bool:
    return "healthcheck" in SERVICES[service] or (
        service in OURS and "command" in SERVICES[service] and _stage(service).last("HEALTHCHECK") is not None
    )


def test_every_service_that_stays_says_whether_it_is_well() -> None:
    staying = {name for name, one in SERVICES.items() if one["restart"] != "no"}
    assert {name for name in staying if not _is_checked(name)} == set()


def test_services_wait_for_what_can_come_true() -> None:
    for one in SERVICES.values():
        for other, how in one.get("depends_on", {}).items():
            ends = SERVICES[other]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_ours_run_without_rights() -> None:
    for name, one in OURS.items():
        assert one["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert "manager" in name or one["read_only"] is True, name


def test_prometheus_asks_every_part_under_its_name() -> None:
    asked: dict[str, list[str]] = {}
    prometheus: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "prometheus.yaml").read_text())
    for job in prometheus["scrape_configs"]:
        asked[job["job_name"]] = [target for group in job["static_configs"] for target in group["targets"]]
    flink = SERVICES["taskmanager"]["environment"]["FLINK_PROPERTIES"]
    reporter = int(re.search(r"reporter.prometheus.port: (\d+)", flink)[1])  # type: ignore[index]
    assert asked == {
        "agent": [f"agent:{Edge().metrics_port}"],
        "stream": [f"taskmanager:{Stream().metrics_port}", f"jobmanager:{reporter}", f"taskmanager:{reporter}"],
        "evidence": [_metrics_of("evidence")],
        "history": [_metrics_of("history")],
        "console": [f"console:{Console().port}"],
    }
    assert {target.partition(":")[0] for targets in asked.values() for target in targets} <= set(SERVICES)


def _metrics_of(service: str) -> str:
    (port,) = (word.partition("=")[2] for word in SERVICES[service]["command"] if word.startswith("--metrics-port="))
    return f"{service}:{port}"


def test_every_part_that_makes_spans_is_told_of_the_collector_and_latencies_lead_to_traces() -> None:
    told = {name for name, one in SERVICES.items() if ENDPOINTS[0] in one.get("environment", {})}
    assert told == {"agent", "jobmanager", "taskmanager", "console"}
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]
    sources = yaml.safe_load((DEPLOY / "compose" / "grafana" / "datasources.yaml").read_text())["datasources"]
    prometheus, traces = (next(one for one in sources if one["name"] == name) for name in ("Prometheus", "Traces"))
    (link,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert link == {"name": next(iter(exemplar(first("s", "c", 1, 1, 1)) or {})), "datasourceUid": traces["uid"]}
