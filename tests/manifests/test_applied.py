"""The overlays on a real Kubernetes API server: what validation, defaults and Pod security say beyond schemas."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.apiserver import VARIABLE, Cluster, binaries, cluster
from tests.manifests.overlays import CRDS, K8S, OVERLAYS, Object, built, name_of
from vedette.manifests import write

SCHEMAS = Path(__file__).parents[3] / "shared" / "schemas" / "crds"
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob", "FlinkDeployment")
AT_LEAST_PODS = 8

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(binaries() is None, reason=f"{VARIABLE} names no folder with etcd and kube-apiserver"),
    pytest.mark.skipif(not SCHEMAS.is_dir(), reason="needs the CRDs, which are not part of the project"),
]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without nodes that knows the operators' kinds."""
    with cluster(tmp_path_factory.mktemp("cluster")) as asked:
        for crds in CRDS:
            asked("apply", "--server-side", "-f", SCHEMAS / crds)
        yield asked


@pytest.fixture(params=OVERLAYS, scope="module")
def overlay(request: pytest.FixtureRequest, kubectl: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of an overlay that was made and applied as docs/cluster.md says."""
    copied = shutil.copytree(K8S, tmp_path_factory.mktemp("copied") / "k8s")
    mine = copied / "overlays" / str(request.param)
    write(mine)
    kubectl("apply", "-f", mine / "namespace.yaml")
    said = kubectl("apply", "-k", mine).splitlines()
    assert [line for line in said if not line.endswith((" created", " unchanged"))] == []
    assert len(said) == len(built(str(request.param)))
    return mine


def test_it_is_taken_and_applied_again_changes_nothing(overlay: Path, kubectl: Cluster) -> None:
    before = versions(kubectl, overlay)
    kubectl("apply", "-k", overlay)
    assert versions(kubectl, overlay) == before


def test_its_namespace_lets_all_of_its_pods_in(overlay: Path, kubectl: Cluster) -> None:
    pods = pods_of(overlay.name)
    assert len(pods) >= AT_LEAST_PODS
    for pod in pods:
        said = kubectl("create", "--dry-run=server", "-f", "-", given=yaml.safe_dump(pod))
        assert said == f"pod/{pod['metadata']['name']} created (server dry run)\n"


def test_its_namespace_lets_no_pod_of_root_in(overlay: Path, kubectl: Cluster) -> None:
    pod = pods_of(overlay.name)[0]
    pod["spec"]["securityContext"]["runAsNonRoot"] = False
    done = kubectl.tried("create", "--dry-run=server", "-f", "-", given=yaml.safe_dump(pod))
    assert done.returncode == 1
    assert 'violates PodSecurity "restricted:latest"' in done.stdout


def test_new_images_are_taken_once_the_last_migration_is_gone(overlay: Path, kubectl: Cluster) -> None:
    file = overlay / "kustomization.yaml"
    file.write_text(re.sub(r"newTag: [\w.]+", "newTag: 9.9.9", file.read_text()))
    namespace = yaml.safe_load((overlay / "namespace.yaml").read_text())["metadata"]["name"]
    before = versions(kubectl, overlay)
    said = kubectl.tried("apply", "-k", overlay).stdout
    assert re.findall("^The (.*) is invalid", said, re.MULTILINE) == ['Job "console-migrate"']
    kubectl("-n", namespace, "delete", "job", "console-migrate")
    kubectl("apply", "-k", overlay)
    after = versions(kubectl, overlay)
    changed = {name.partition("/")[0] for name in after if after[name] != before[name]}
    assert changed == {one["kind"] for one in built(overlay.name)} & set(WORKLOADS)


def versions(kubectl: Cluster, overlay: Path) -> dict[str, str]:
    """What changes with each change of an object, by kind/name."""
    items = json.loads(kubectl("get", "-k", overlay, "--output", "json"))["items"]
    return {name_of(one): one["metadata"]["resourceVersion"] for one in items}


def pods_of(overlay: str) -> list[Object]:
    """The pods that an overlay's workloads make, as who makes them would: one of each."""
    made = []
    for one in built(overlay):
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template") or spec.get("podTemplate")
        if one["kind"] not in WORKLOADS or not template:
            continue
        pod = copy.deepcopy(template)
        pod["metadata"] = {"name": one["metadata"]["name"], "namespace": one["metadata"]["namespace"]}
        for container in pod["spec"]["containers"]:
            container.setdefault("image", spec.get("image"))
        claims = [{"name": claim["metadata"]["name"], "emptyDir": {}} for claim in spec.get("volumeClaimTemplates", [])]
        pod["spec"]["volumes"] = [*pod["spec"].get("volumes", []), *claims]
        made.append({"apiVersion": "v1", "kind": "Pod", **pod})
    return made
