"""What pods have and may: volumes, secrets, keys, rights, and what is done when one hangs or ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from contracts.access import of_agents, of_parts
from contracts.config_file import load
from tests.manifests.overlays import (
    K8S,
    built,
    built_with,
    containers,
    every_overlay,
    faults_of,
    jobs_of,
    mounted_at,
    name_of,
    site_of,
    volumes,
)
from vault.master import VARIABLE
from vault.signing import EVIDENCE_VARIABLE, MODELS_VARIABLE
from vedette.cli import EXIT_CONFIG, EXIT_FAILED, EXIT_REFUSED, _parser


def test_no_volume_has_to_be_mounted_by_several() -> None:
    """What few clusters offer (ReadWriteMany); a volume of one node would keep the second pod waiting for ever."""
    used = [
        volume["persistentVolumeClaim"]["claimName"]
        for one in built("prod")
        if one["kind"] in ("Deployment", "StatefulSet")
        for volume in one["spec"]["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    claims = {one["metadata"]["name"]: one["spec"] for one in built("prod") if one["kind"] == "PersistentVolumeClaim"}
    assert sorted(used) == ["console", "evidence", "history"]
    assert all(spec["accessModes"] == ["ReadWriteOnce"] for spec in claims.values())
    config = load(site_of("prod"))
    assert config.evidence.s3 is not None
    assert config.history.s3 is not None


def test_the_clients_authority_is_mounted_by_its_signer_only() -> None:
    """Whoever has its key can call themselves anybody at the brokers."""
    (console,) = (one for one in built("prod") if name_of(one) == "Deployment/console")
    mounted = {
        container["name"]: {mount["name"] for mount in container["volumeMounts"]} for container in containers(console)
    }
    assert {name for name, volumes in mounted.items() if "clients-ca" in volumes} == {"signer"}
    assert mounted["console"] & mounted["signer"] == {"site", "signer"}
    (kafka,) = (one for one in built("prod") if one["kind"] == "Kafka")
    listeners = {one["name"]: one for one in kafka["spec"]["kafka"]["listeners"]}
    assert all(one["tls"] and one["authentication"] == {"type": "tls"} for one in listeners.values())
    told = load(site_of("prod")).console.agents
    assert [server.rpartition(":")[2] for server in told.bootstrap_servers] == [str(listeners["agents"]["port"])]
    certified = listeners["agents"]["configuration"]["bootstrap"]["alternativeNames"]
    assert [server.rpartition(":")[0] for server in told.bootstrap_servers] == certified
    users = [one for one in built("prod") if one["kind"] == "KafkaUser"]
    external = [one["metadata"]["name"] for one in users if one["spec"]["authentication"]["type"] == "tls-external"]
    assert external == list(of_agents(load(site_of("prod")).site.name, load(site_of("prod")).edge.agents))


@every_overlay
def test_no_part_insists_on_a_file_of_a_secret_that_may_be_missing(overlay: str) -> None:
    """The master key: where nobody is identified there is none, and a part that is told of a file wants it there."""
    keys = set()
    for one in built(overlay):
        optional = {volume["name"] for volume in volumes(one) if volume.get("secret", {}).get("optional")}
        for container in containers(one):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in optional}
            for variable in container.get("env", []):
                assert not any(variable.get("value", "").startswith(path) for path in mounts), name_of(one)
                if variable["name"] == VARIABLE:
                    keys.add((one["metadata"]["name"], variable["valueFrom"]["secretKeyRef"]["optional"]))
    assert keys == {(name, True) for name in (*jobs_of(overlay), "console", "evidence")}


def test_training_runs_the_loop_on_a_gpu_with_all_that_its_site_names_mounted() -> None:
    (job,) = (one for one in built("prod") if one["kind"] == "CronJob")
    (container,) = containers(job)
    given, config = _parser().parse_args(container["args"]), load(site_of("prod"))
    assert given.run.__module__ == "vedette.learn_cli"
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    volume = mounted_at(given.state, mounts)
    assert (volume, mounts[volume]) == ("/var/lib/vedette/training", False)
    assert mounted_at(given.config, mounts) == str(given.config)
    assert {mounted_at(Path(path), mounts) for path in (config.learning.replay, config.learning.gate)} == {volume}
    tls = config.kafka.tls
    assert tls is not None
    named = [*(tls.ca, tls.certificate, tls.key), *(one["value"] for one in container["env"] if "FILE" in one["name"])]
    named += re.findall(r"sslrootcert=(\S+)", config.console.database)
    assert len(named) == 5
    assert all(mounts[mounted_at(Path(file), mounts)] for file in named)
    assert None not in (config.evidence.s3, config.learning.s3, config.models.s3)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_what_once_more_would_go_the_same_way_is_not_tried_again() -> None:
    (job,) = (one["spec"]["jobTemplate"]["spec"] for one in built("prod") if one["kind"] == "CronJob")
    (ends,) = (rule for rule in job["podFailurePolicy"]["rules"] if rule["action"] == "FailJob")
    codes = ends["onExitCodes"]
    assert (codes["operator"], set(codes["values"])) == ("In", {EXIT_CONFIG, EXIT_REFUSED})
    assert EXIT_FAILED not in codes["values"]
    assert job["backoffLimit"] > 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # without, the rules are not heard


def test_training_gets_to_the_stores_and_names_only_and_nobody_to_it() -> None:
    ways = [
        rule
        for one in built("prod")
        if one["kind"] == "NetworkPolicy" and chosen(one["spec"]["podSelector"], "training")
        for rule in one["spec"].get("egress", [])
    ]
    assert {port["port"] for way in ways for port in way["ports"]} == {53, 9092, 9093, 443, 9000, 5432}
    access = of_parts(load(site_of("prod")).site.name)["training"]
    assert (access.reads, access.writes, access.groups) == (("drift",), (), ())


def chosen(selector: dict[str, Any], name: str) -> bool:
    """Whether pods of that name are meant."""
    if not selector:
        return True
    if selector.get("matchLabels", {}).get("app.kubernetes.io/name") == name:
        return True
    rules = selector.get("matchExpressions", [])
    return any((name in one["values"]) is (one["operator"] == "In") for one in rules)


@every_overlay
def test_pods_run_without_rights(overlay: str) -> None:
    for one in built(overlay):
        for container in containers(one):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name_of(one)
            assert context["capabilities"] == {"drop": ["ALL"]}, name_of(one)
            assert context["readOnlyRootFilesystem"] is True, name_of(one)
            assert "limits" in container.get("resources", {"limits": 0}), name_of(one)


@every_overlay
def test_no_secret_stands_in_a_manifest(overlay: str) -> None:
    for one in built(overlay):
        for container in containers(one):
            for variable in container.get("env", []):
                named = re.search(r"PASSWORD|SECRET|TOKEN|_KEY$", variable["name"])
                assert not named or set(variable["valueFrom"]) == {"secretKeyRef"}, name_of(one)


def test_an_agent_a_node_is_called_as_the_node_and_has_what_the_site_s_one_has(tmp_path: Path) -> None:
    objects = built_with("prod", "agent-per-node", tmp_path)
    before = next(one for one in built("prod") if name_of(one) == "StatefulSet/agent")
    assert "StatefulSet/agent" not in {name_of(one) for one in objects}
    agents = next(one for one in objects if name_of(one) == "DaemonSet/agent")
    assert faults_of(agents, {}) == []
    (one,), (other,) = containers(agents), containers(before)
    name, *rest = one["env"]
    assert "--name=$(NAME)" in one["args"]
    assert name == {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert {**one, "env": rest} == {**other, "env": other["env"][1:]}
    mounted, there = {mount["name"] for mount in one["volumeMounts"]}, {volume["name"] for volume in volumes(agents)}
    assert mounted == there


@every_overlay
def test_what_runs_for_ever_is_started_again_when_it_hangs(overlay: str) -> None:
    lasting = [one for one in built(overlay) if one["kind"] in ("Deployment", "StatefulSet")]
    named = {f"{name_of(one)}: {box['name']}": box for one in lasting for box in containers(one)}
    assert [name for name, box in named.items() if "livenessProbe" not in box] == []
    for box in named.values():
        command = box["livenessProbe"].get("exec", {}).get("command", [])
        if command:
            assert K8S.parent.joinpath(*command[2].split(".")).with_suffix(".py").is_file(), command
            assert load(site_of(overlay)).console.agents.signer == command[3]


def test_evidence_and_models_are_signed_by_a_part_and_a_key_each() -> None:
    signs = {EVIDENCE_VARIABLE: set[str](), MODELS_VARIABLE: set[str]()}
    for one in built("prod"):
        secrets = {volume["name"]: volume["secret"]["secretName"] for volume in volumes(one) if "secret" in volume}
        for container in containers(one):
            named = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
            for variable in signs.keys() & named:
                (mount,) = (m for m in container["volumeMounts"] if named[variable].startswith(m["mountPath"] + "/"))
                signs[variable].add(f"{name_of(one)}: {secrets[mount['name']]}")
    assert signs == {
        EVIDENCE_VARIABLE: {"Deployment/evidence: vedette-signing-key", "Deployment/console: vedette-signing-key"},
        MODELS_VARIABLE: {"CronJob/training: vedette-models-key"},
    }
    models = load(site_of("prod")).models
    assert (models.signed_only, models.trusted_keys) == (True, ())
