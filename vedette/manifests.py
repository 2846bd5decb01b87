"""What Kubernetes must know of a site, from the code's own declarations: topics, users, where Flink's state is.

`python -m vedette.manifests OVERLAY` writes OVERLAY/generated from OVERLAY/site.yaml;
`python -m vedette.manifests --monitoring DEPLOY COMPONENT` the rules and dashboards of DEPLOY into a component.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from contracts import topics
from contracts.access import NO_GROUP, Access, of_agents, of_parts
from contracts.config import S3, Config
from contracts.config_file import load
from contracts.errors import ConfigError
from contracts.face_models import identifying
from vedette import monitoring
from vedette.scaling import advice
from vedette.sizing import REPLICAS

API = "kafka.strimzi.io/v1"
CLUSTER = {"strimzi.io/cluster": "kafka"}
HEAD = "# Written by `python -m vedette.manifests`: change the config or contracts/, not this.\n"
HEAD_MONITORING = "# Written by `python -m vedette.manifests --monitoring`: change deploy/, not this.\n"
FOLDER = "generated"


def write(overlay: Path) -> tuple[Path, ...]:
    """Write OVERLAY/generated from OVERLAY/site.yaml; returns its files. Raises ConfigError, OSError."""
    config = load(overlay / "site.yaml")
    folder = overlay / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in texts(config).items():
        (folder / name).write_text(text)
    return tuple(sorted(folder.iterdir()))


def write_monitoring(deploy: Path, component: Path) -> tuple[Path, ...]:
    """Write rules and dashboards as objects; returns the files. Raises OSError."""
    written = monitoring_texts(deploy)
    for name, text in written.items():
        (component / name).write_text(text)
    return tuple(component / name for name in written)


def monitoring_texts(deploy: Path) -> dict[str, str]:
    """The component's files by their names; raises OSError."""
    return {name: HEAD_MONITORING + _yaml(many) for name, many in monitoring.objects(deploy).items()}


def texts(config: Config) -> dict[str, str]:
    """The files by their names: a kustomize component with the site's topics and users."""
    site = config.site.name
    documents = {"topics.yaml": [_topic(spec) for spec in topics.specs_of(config)]}
    if config.kafka.tls is not None:
        documents["users.yaml"] = [
            *(_user(name, access, "tls") for name, access in of_parts(site).items()),
            *(_user(name, access, "tls-external") for name, access in of_agents(site, config.edge.agents).items()),
        ]
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": list(documents),
        "patches": [
            *([_agent_secret(site)] if "users.yaml" in documents else []),
            *([] if config.evidence.s3 is None else [_flink_in(config.evidence.s3, site)]),
            *([] if identifying(config) else [_without("FlinkDeployment", "site")]),
        ],
    }
    return {
        "kustomization.yaml": HEAD + _yaml([component]),
        **{name: HEAD + _yaml(many) for name, many in documents.items()},
    }


def _topic(spec: topics.TopicSpec) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": {"name": spec.name, "labels": CLUSTER},
        "spec": {"partitions": spec.partitions, "replicas": REPLICAS, "config": dict(spec.config)},
    }


def _user(name: str, access: Access, authentication: str) -> dict[str, Any]:
    """`tls`: Strimzi makes the certificate, into a Secret; `tls-external`: the agent enrols for its own."""
    rules = [
        *(_rule("topic", topic, "literal", "Read", "Describe") for topic in access.reads),
        *(_rule("topic", topic, "literal", "Write", "Describe") for topic in access.writes),
        *(_rule("group", group, "prefix", "Read") for group in access.groups),
        _rule("group", NO_GROUP, "literal", "Describe"),
    ]
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": {"name": name, "labels": CLUSTER},
        "spec": {"authentication": {"type": authentication}, "authorization": {"type": "simple", "acls": rules}},
    }


def _rule(kind: str, name: str, pattern: str, *operations: str) -> dict[str, Any]:
    return {"resource": {"type": kind, "name": name, "patternType": pattern}, "operations": list(operations)}


def _agent_secret(site: str) -> dict[str, Any]:
    """The agent's certificate is named after its site, since it may be one of many."""
    volume = {"name": "tls-user", "secret": {"secretName": f"agent-{site}", "defaultMode": 0o440}}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "agent"},
        "spec": {"template": {"spec": {"volumes": [volume]}}},
    }
    return {"patch": yaml.safe_dump(patch, sort_keys=False)}


def _flink_in(s3: S3, site: str) -> dict[str, Any]:
    """Flink's state in the bucket of the evidence, as Flink's own S3 file system names things; a folder a site."""
    folder = f"s3://{s3.bucket}/flink/{site}"
    settings = {
        "high-availability.storageDir": f"{folder}/ha",
        "execution.checkpointing.dir": f"{folder}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{folder}/savepoints",
        "s3.endpoint": s3.endpoint or f"https://s3.{s3.region}.amazonaws.com",
        **({"s3.path.style.access": "true"} if s3.endpoint else {}),
    }
    patch = {
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": "any"},
        "spec": {"flinkConfiguration": settings},
    }
    return {"target": {"kind": "FlinkDeployment"}, "patch": yaml.safe_dump(patch, sort_keys=False)}


def _without(kind: str, name: str) -> dict[str, Any]:
    """Where nobody is identified the job `site` has nothing to do: Flink refuses a graph without operators."""
    patch = {"$patch": "delete", "apiVersion": "flink.apache.org/v1beta1", "kind": kind, "metadata": {"name": name}}
    return {"patch": yaml.safe_dump(patch, sort_keys=False)}


def _yaml(documents: list[dict[str, Any]]) -> str:
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors: what is the same twice is written twice. Texts of several lines stand as such."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text of one line as YAML likes, others as they are."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Plain.add_representer(str, _Plain.represent_str)


def main(arguments: list[str] | None = None) -> int:
    """Write for each overlay, or the monitoring, and say what its cameras need more; 2 for a wrong config."""
    parser = argparse.ArgumentParser(prog="python -m vedette.manifests", description=__doc__)
    parser.add_argument("overlays", nargs="*", type=Path, metavar="OVERLAY", help="a folder with site.yaml")
    parser.add_argument(
        "--monitoring", nargs=2, type=Path, metavar=("DEPLOY", "COMPONENT"), help="rules and dashboards"
    )
    given = parser.parse_args(arguments)
    try:
        if given.monitoring:
            for path in write_monitoring(*given.monitoring):
                print(path)
        for overlay in given.overlays:
            for path in write(overlay):
                print(path)
            config = load(overlay / "site.yaml")
            for line in advice(len(config.cameras), config.kafka):
                print(f"{overlay / 'site.yaml'}: {line}", file=sys.stderr)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
