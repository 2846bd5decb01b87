"""Pages that say "shown by a test": the test is there, links lead somewhere, and no secret is forgotten."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.manifests.overlays import built, name_of

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

every_page = pytest.mark.parametrize("page", DOCS, ids=[page.stem for page in DOCS])


@every_page
def test_the_tests_that_it_names_are_there(page: Path) -> None:
    for file, name in TEST.findall(page.read_text()):
        assert (ROOT / file).is_file(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_threat_has_a_test_that_shows_what_stands_against_it() -> None:
    rows = [line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ")]
    threats = [row for row in rows if not re.search(r"\| shown by \|$", row)]
    assert len(threats) > 20
    assert [row for row in threats if not TEST.search(row.rsplit("|", 2)[1])] == []


def test_the_page_on_the_first_time_makes_every_secret_that_nobody_else_makes() -> None:
    objects = built("prod")
    users = {one["metadata"]["name"] for one in objects if one["kind"] == "KafkaUser"}
    strimzis = users | {"kafka-cluster-ca-cert", "kafka-clients-ca", "kafka-clients-ca-cert"}
    made = re.findall(r"create secret (?:generic|tls) (\S+)", (ROOT / "docs" / "cluster.md").read_text())
    assert sorted(made) == sorted(_secrets(objects) - strimzis)


CLUSTER = (ROOT / "docs" / "cluster.md").read_text()
KUBECTL = re.findall(r"kubectl (?:-n (\S+) )?([^\n`]+)", CLUSTER)
"""Namespace and the rest of each command on the page."""
FROM_THE_CLOUD = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""Names in the environment that the S3 client looks for by itself."""


@pytest.mark.parametrize(("namespace", "command"), KUBECTL, ids=[f"{command[:40]}" for _, command in KUBECTL])
def test_a_command_on_the_page_of_the_first_time_names_what_the_overlays_have(namespace: str, command: str) -> None:
    overlay = "dev" if "dev" in namespace + command else "prod"
    objects = built(overlay)
    site = (ROOT / "k8s" / "overlays" / overlay / "site.yaml").read_text()
    assert namespace in ("", *(one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"))
    for path in re.findall(r" -[kf] (\S+)", command):
        assert (ROOT / path.replace("/mine", "/prod")).exists(), path
    named = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in objects}
    for kind, name in re.findall(r" (deploy|kafka)/(\S+)", command):
        assert f"{kind.replace('deploy', 'deployment')}/{name}" in named
    for deployment, container, path in re.findall(r"exec deploy/(\S+) -c (\S+) -- cat (\S+)", command):
        (spec,) = (one["spec"] for one in objects if one["kind"] == "Deployment" and name_of(one).endswith(deployment))
        (main,) = (one for one in spec["template"]["spec"]["containers"] if one["name"] == container)
        assert f"--state={path.rpartition('/')[0]}" in main["args"]
    for key in re.findall(r"--from-(?:file|literal)=([\w.]+)", command):
        assert key in FROM_THE_CLOUD or key in site or key in json.dumps(objects), key


def test_volumes_are_as_large_as_the_page_of_the_first_time_says() -> None:
    objects = built("prod")
    claims = [one["spec"] for one in objects if one["kind"] == "PersistentVolumeClaim"]
    claims += [one["spec"] for each in objects for one in each.get("spec", {}).get("volumeClaimTemplates", ())]
    sizes = sorted(int(one["resources"]["requests"]["storage"].removesuffix("Gi")) for one in claims)
    (pool,) = (one["spec"] for one in objects if one["kind"] == "KafkaNodePool")
    brokers = f"{pool['replicas']} x {pool['storage']['size'].replace('Gi', ' GiB')}"
    assert f"{brokers}, {', '.join(map(str, sizes[:-1]))} and {sizes[-1]} GiB" in CLUSTER


def _secrets(value: object) -> set[str]:
    """Names of all Secrets that stand somewhere in it."""
    if isinstance(value, list | tuple):
        return set().union(*map(_secrets, value))
    if not isinstance(value, dict):
        return set()
    found = {value["secretName"]} if isinstance(value.get("secretName"), str) else set()
    for reference in ("secretRef", "secretKeyRef", "secret"):
        if isinstance(name := (value.get(reference) or {}).get("name"), str):
            found.add(name)
    if "token" in str(value.get("key", "")) and isinstance(value.get("name"), str):
        found.add(value["name"])  # a monitor's credentials
    return found.union(*map(_secrets, value.values()))
