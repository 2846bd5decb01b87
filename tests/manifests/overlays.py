"""The overlays as kustomize builds them, and what their objects are held against."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from contracts.config_file import load
from contracts.face_models import identifying
from vedette.cli import _parser

K8S = Path(__file__).parents[2] / "k8s"
OVERLAYS = ("dev", "prod")
KUBERNETES = "1.35"
CRDS = ("strimzi-1.2.0", "flink-operator-1.15.0", "keda-2.20.2", "prometheus-operator-0.93.0")

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)

Object = dict[str, Any]


@functools.cache
def built(overlay: str) -> tuple[Object, ...]:
    """All objects of an overlay."""
    return _built(K8S / "overlays" / overlay)


def built_with(overlay: str, component: str, folder: Path) -> tuple[Object, ...]:
    """All objects of an overlay with another component after its own; `folder` is an empty one."""
    places = (K8S / "overlays" / overlay, K8S / "components" / component)
    above, more = (os.path.relpath(place, folder) for place in places)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [above], "components": [more]}))
    return _built(folder)


def _built(folder: Path) -> tuple[Object, ...]:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def name_of(one: Object) -> str:
    """Kind/name."""
    return f"{one['kind']}/{one['metadata']['name']}"


def is_custom(one: Object) -> bool:
    """Whether a CRD defines it."""
    group = one["apiVersion"].partition("/")[0]
    return "." in group and not group.endswith("k8s.io")


def faults_of(one: Object, crds: dict[tuple[str, str], Object]) -> list[str]:
    """What the schemas of Kubernetes or of the CRD say against it; fields that they don't know are faults."""
    if not is_custom(one):
        try:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [f"{name_of(one)}: {error.message}"]
        return []
    schema = crds[(one["apiVersion"], one["kind"])]
    found = jsonschema.Draft202012Validator(schema).iter_errors(one)
    return [f"{name_of(one)}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in found]


@functools.cache
def crd_schemas(folder: Path) -> dict[tuple[str, str], Object]:
    """The closed schema of each custom kind, by apiVersion and kind."""
    schemas = {}
    for path in sorted(folder.glob("*/*.y*ml")):
        if path.parent.name not in CRDS:
            continue
        for crd in yaml.load_all(path.read_text(), _Loader):
            for version in crd["spec"]["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                schemas[key] = _closed(schema, top=True)
    return schemas


class _Loader(yaml.CSafeLoader):
    """Takes `=` for a text, which YAML 1.1 gives a meaning that nobody implements."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def _closed(schema: Any, *, top: bool = False) -> Any:
    """The schema with every object closed for fields that it does not name, as `kubectl --validate=strict` has it."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if top:
        text = {"type": "string"}
        closed["properties"] |= {"apiVersion": text, "kind": text, "metadata": {"type": "object"}}
    named = "properties" in schema and "additionalProperties" not in schema
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed["additionalProperties"] = False
    if closed.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
        closed.pop("anyOf", None)
    return closed


def containers(one: Object) -> Iterator[Object]:
    """The containers of an object's pods, init containers too."""
    for pod in _pods(one):
        yield from [*pod.get("initContainers", []), *pod.get("containers", [])]


def volumes(one: Object) -> Iterator[Object]:
    """The volumes of an object's pods."""
    for pod in _pods(one):
        yield from pod.get("volumes", [])


def _pods(one: Object) -> Iterator[Object]:
    spec = one.get("spec", {})
    templates = [
        spec.get("template"),
        spec.get("podTemplate"),
        spec.get("jobTemplate", {}).get("spec", {}).get("template"),
    ]
    for template in templates:
        yield (template or {}).get("spec", {})


def site_of(overlay: str) -> Path:
    """The site's config of an overlay."""
    return K8S / "overlays" / overlay / "site.yaml"


def plain(value: object) -> str:
    """For messages."""
    return json.dumps(value, indent=1)


def not_taken(module: str, arguments: Iterable[str]) -> list[str]:
    """The arguments that `vedette`'s parser doesn't know; of other programs the options that stand neither in their own
    parser nor in that of all processes of the archive."""
    if module == "vedette":
        return list(_parser().parse_known_args(list(arguments))[1])
    program = K8S.parent.joinpath(*module.split("."), "__main__.py")
    source = program.read_text() + (K8S.parent / "archive" / "process.py").read_text()
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    return [option for option in options if not re.search(rf'"{re.escape(option)}"', source)]


def jobs_of(overlay: str) -> tuple[str, ...]:
    """The jobs that have something to do there."""
    config = load(site_of(overlay))
    return tuple(job for job in importlib.import_module("stream.jobs").JOBS if job != "site" or identifying(config))


def mounted_at(path: Path, mounts: Iterable[str]) -> str:
    """The mount that a path is on."""
    return max((mount for mount in mounts if path.is_relative_to(mount)), key=len)
