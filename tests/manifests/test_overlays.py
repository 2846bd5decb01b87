"""The manifests: valid against their schemas, and saying the same as the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import uvicorn.config
import yaml
from msgspec.structs import replace

from contracts.access import of_parts
from contracts.assignment import agents_of
from contracts.config import S3, CameraFaces, Console, Edge, Stream
from contracts.config_file import load
from contracts.topics import MAX_MESSAGE_BYTES
from telemetry.tracer import ENDPOINTS
from tests.manifests.overlays import (
    K8S,
    OVERLAYS,
    built,
    containers,
    crd_schemas,
    every_overlay,
    faults_of,
    is_custom,
    jobs_of,
    mounted_at,
    name_of,
    not_taken,
    site_of,
    volumes,
)
from vedette.manifests import FOLDER, monitoring_texts, texts

SCHEMAS = Path(__file__).parents[3] / "shared" / "schemas" / "crds"


@every_overlay
def test_kubernetes_own_kinds_are_valid_and_have_no_unknown_field(overlay: str) -> None:
    own = [one for one in built(overlay) if not is_custom(one)]
    assert len(own) >= 10
    assert [fault for one in own for fault in faults_of(one, {})] == []


@pytest.mark.shared
@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="needs the CRDs' schemas, which are not part of the project")
@every_overlay
def test_custom_kinds_are_valid_and_have_no_unknown_field(overlay: str) -> None:
    crds = crd_schemas(SCHEMAS)
    custom = [one for one in built(overlay) if is_custom(one)]
    assert len(custom) >= 10
    assert [fault for one in custom for fault in faults_of(one, crds)] == []


@pytest.mark.shared
@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="needs the CRDs' schemas, which are not part of the project")
def test_an_unknown_field_is_found() -> None:
    crds = crd_schemas(SCHEMAS)
    job = next(one for one in built("dev") if name_of(one) == "FlinkDeployment/detect")
    assert faults_of({**job, "spec": {**job["spec"], "flinkVersions": "v2_2"}}, crds)
    service = next(one for one in built("dev") if name_of(one) == "Service/console")
    assert faults_of({**service, "spec": {**service["spec"], "portz": []}}, crds)


@every_overlay
def test_topics_and_users_are_those_of_the_code(overlay: str) -> None:
    folder = K8S / "overlays" / overlay / FOLDER
    assert {path.name: path.read_text() for path in folder.iterdir()} == texts(load(site_of(overlay)))


def test_rules_and_dashboards_are_those_of_deploy() -> None:
    component = K8S / "components" / "monitoring"
    for name, text in monitoring_texts(K8S.parent / "deploy").items():
        assert (component / name).read_text() == text, name
    rules, *_ = (one for one in built("prod") if one["kind"] == "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((K8S.parent / "deploy" / "prometheus" / "rules.yaml").read_text())
    assert sum("grafana_dashboard" in one["metadata"].get("labels", {}) for one in built("prod")) == 7


def test_every_port_with_metrics_is_asked_for_them() -> None:
    endpoints = {
        (str(one["spec"]["selector"]), endpoint["port"])
        for one in built("prod")
        if one["kind"] == "PodMonitor"
        for endpoint in one["spec"]["podMetricsEndpoints"]
    }
    for one in built("prod"):
        for container in containers(one):
            for port in container.get("ports", []):
                flink = one["kind"] == "FlinkDeployment"
                label = "flink-native-kubernetes" if flink else f"'{one['metadata']['name']}'"
                assert any(label in chosen and port["name"] == name for chosen, name in endpoints), name_of(one)


def test_strimzis_operator_is_asked_for_what_the_rules_say_of_certificates() -> None:
    (rules, *_) = (one for one in built("prod") if one["kind"] == "PrometheusRule")
    assert "strimzi_certificate_expiration_timestamp_ms" in str(rules["spec"])
    (monitor,) = (one["spec"] for one in built("prod") if name_of(one) == "PodMonitor/strimzi")
    assert monitor["namespaceSelector"] == {"any": True}
    assert monitor["selector"]["matchLabels"] == {"strimzi.io/kind": "cluster-operator"}


def test_every_part_has_its_name_as_job() -> None:
    """`up{job=...}` of the rules: the monitors' job label, of pods that have it."""
    jobs = set(importlib.import_module("stream.jobs").JOBS)
    named = {one["metadata"]["name"] for one in built("prod") if one["kind"] in ("StatefulSet", "Deployment")}
    text = (K8S.parent / "deploy" / "prometheus" / "rules.yaml").read_text()
    silent = {name for found in re.findall(r'up\{job=~?"([^"]+)"', text) for name in found.split("|")}
    assert silent - {"stream"} == jobs | named


def test_every_part_that_runs_has_a_user_and_mounts_its_certificate() -> None:
    site = load(site_of("prod")).site.name
    secrets = {}
    for one in built("prod"):
        for volume in volumes(one):
            if volume["name"] == "tls-user":
                secrets[one["metadata"]["name"]] = volume["secret"]["secretName"]
    assert {name: user for name, user in secrets.items() if name != user} == {"agent": f"agent-{site}"}
    assert set(secrets.values()) == set(of_parts(site)) - {"site"}  # nobody is identified there


@every_overlay
def test_ports_are_those_of_the_config(overlay: str) -> None:
    config = load(site_of(overlay))
    known = {"agent": config.edge.metrics_port, "console": config.console.port, "flink": config.stream.metrics_port}
    assert known == {"agent": Edge().metrics_port, "console": Console().port, "flink": Stream().metrics_port}
    for one in built(overlay):
        for container in containers(one):
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            match one["kind"], one["metadata"]["name"]:
                case "StatefulSet", "agent":
                    assert ports == {"metrics": known["agent"]}
                case "Deployment", "console" if container["name"] == "signer":
                    assert ports == {}
                case "Deployment", "console":
                    assert ports == {"http": known["console"]}
                case "FlinkDeployment", _:
                    assert ports["metrics"] == known["flink"]
                case "Deployment", _:
                    assert f"--metrics-port={ports['metrics']}" in container["args"]


def test_the_broker_takes_what_the_code_sends() -> None:
    for overlay in OVERLAYS:
        (kafka,) = (one for one in built(overlay) if one["kind"] == "Kafka")
        config = kafka["spec"]["kafka"]["config"]
        assert config["message.max.bytes"] == config["replica.fetch.max.bytes"] == MAX_MESSAGE_BYTES


@every_overlay
def test_every_command_is_a_program_that_takes_its_arguments(overlay: str) -> None:
    seen = set()
    for one in built(overlay):
        for container in containers(one):
            if "command" not in container:
                continue
            _, dash_m, module = container["command"]
            assert dash_m == "-m"
            seen.add(module)
            assert not_taken(module, container["args"]) == []
    assert seen - {"vedette", "console.signer"} == {"edge", "console", "archive.evidence", "archive.history"}


def test_who_says_where_a_request_comes_from_is_alone_at_the_console() -> None:
    """Limits are by address: one for all behind a proxy shuts everybody out, one that anybody may name is none."""
    (console,) = (one for one in built("prod") if name_of(one) == "Deployment/console")
    env = {one["name"]: one.get("value") for one in next(containers(console))["env"]}
    assert env[uvicorn_reads()] == "*"
    (policy,) = (one for one in built("prod") if name_of(one) == "NetworkPolicy/console")
    (way_in,) = policy["spec"]["ingress"]
    assert way_in["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]


def uvicorn_reads() -> str:
    """The variable that uvicorn takes for whom it believes."""
    (name,) = set(re.findall(r'"(FORWARDED_ALLOW_IPS)"', Path(uvicorn.config.__file__).read_text()))
    return str(name)


def test_dev_needs_no_store_outside_of_its_cluster() -> None:
    assert "s3://" not in yaml.safe_dump_all(built("dev"))
    for one in built("dev"):
        if one["kind"] != "FlinkDeployment":
            continue
        claims = {volume["name"] for volume in volumes(one) if "persistentVolumeClaim" in volume}
        mounts = [m["mountPath"] for box in containers(one) for m in box["volumeMounts"] if m["name"] in claims]
        folders = [value for value in one["spec"]["flinkConfiguration"].values() if str(value).startswith("file://")]
        assert len(folders) == 3
        assert all(mounted_at(Path(folder.removeprefix("file://")), mounts) for folder in folders)


@pytest.mark.parametrize(
    ("s3", "endpoint", "style"),
    [
        (S3(bucket="kept", region="eu-west-1"), "https://s3.eu-west-1.amazonaws.com", None),
        (S3(bucket="kept", endpoint="https://objects:9000"), "https://objects:9000", "true"),
    ],
    ids=["Amazon's", "another server"],
)
def test_flinks_state_is_in_the_sites_bucket(s3: S3, endpoint: str, style: str | None) -> None:
    config = load(site_of("prod"))
    made = yaml.safe_load(texts(replace(config, evidence=replace(config.evidence, s3=s3)))["kustomization.yaml"])
    (patch,) = (one["patch"] for one in made["patches"] if one.get("target") == {"kind": "FlinkDeployment"})
    told = yaml.safe_load(patch)["spec"]["flinkConfiguration"]
    assert (told["s3.endpoint"], told.get("s3.path.style.access")) == (endpoint, style)
    folders = [value for value in told.values() if value.startswith("s3://")]
    assert [Path(folder).name for folder in folders] == ["ha", "checkpoints", "savepoints"]
    assert all(folder.startswith(f"s3://kept/flink/{config.site.name}/") for folder in folders)
    jobs = [one["spec"]["flinkConfiguration"] for one in built("prod") if one["kind"] == "FlinkDeployment"]
    assert {one["s3.endpoint"] for one in jobs} == {"https://s3.eu-central-1.amazonaws.com"}


@every_overlay
def test_every_job_runs_as_one_application(overlay: str) -> None:
    jobs = {one["metadata"]["name"]: one["spec"] for one in built(overlay) if one["kind"] == "FlinkDeployment"}
    module = importlib.import_module("stream.jobs.cluster")
    for name, spec in jobs.items():
        arguments = spec["job"]["args"]
        start = arguments.index("-pym")
        assert arguments[start + 1] == module.__name__
        options = module._parser().parse_args(arguments[start + 2 :])
        assert options.jobs == [name]
        assert spec["job"]["upgradeMode"] != "stateless"
    assert set(jobs) == set(jobs_of(overlay))


def test_the_job_for_people_runs_where_people_are_identified() -> None:
    """Without them its graph has no operator, which Flink refuses: it would be started again for ever."""
    config = load(site_of("prod"))
    quay = replace(config.cameras["quay"], faces=CameraFaces(identify=True))
    with_people = replace(config, cameras={"quay": quay})
    assert "$patch: delete" in texts(config)["kustomization.yaml"]
    assert "$patch: delete" not in texts(with_people)["kustomization.yaml"]


def test_every_part_that_makes_spans_is_told_of_the_collector() -> None:
    told = {
        one["metadata"]["name"]
        for one in built("prod")
        for container in containers(one)
        if any(variable["name"] in ENDPOINTS for variable in container.get("env", []))
    }
    assert told == {"agent", "console", *jobs_of("prod")}


def test_the_cluster_s_agents_are_those_that_cameras_name() -> None:
    config = load(site_of("prod"))
    (pods,) = (one for one in built("prod") if name_of(one) == "StatefulSet/agent")
    assert config.edge.local_agents == tuple(f"agent-{number}" for number in range(pods["spec"]["replicas"]))
    assert {camera.agent for camera in config.cameras.values()} == set(agents_of(config))
