"""The registry: versions that are whole, signed and never change, a log that says what is in service."""

from __future__ import annotations

import hashlib
import shutil
import threading
from pathlib import Path

import msgspec
import pytest

from archive.evidence.files import Folder
from archive.registry import Candidate, Registry, RegistryError, Standing, check_signature, signed
from contracts.errors import ModelError
from contracts.face_models import BUNDLED
from contracts.manifest import LEARNT, Attribute, DataReference, Lineage, ModelManifest, load_manifest, signed_bytes
from stream.identity import cohort_of
from tests.registry_tools import AT_MS, SITE, made, opened, pass_gate
from vault import signing_key

REPORT = (b'{"passed": true}', b"# good")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return opened(tmp_path)


def test_a_version_is_kept_signed_and_can_be_fetched(registry: Registry, tmp_path: Path) -> None:
    kept = registry.register(made(tmp_path, "2"), by="bea")
    assert [one.id for one in registry.versions()] == ["detector@2"]
    assert registry.card("detector@2") == "# detector 2"
    assert registry.learnt("detector@2") == {"0" * 64, "1" * 64}
    fetched, folder = registry.fetch("detector@2", tmp_path / "cache")
    assert fetched == kept == load_manifest(folder / "manifest.json")
    assert registry.fetch("detector@2", tmp_path / "cache") == (fetched, folder)


def test_a_face_embedder_is_kept_with_the_cohort_of_its_calibration(registry: Registry, tmp_path: Path) -> None:
    kept = registry.register(BUNDLED / "face-embedder.json", by="bea")
    there = tmp_path / "registry" / kept.name / kept.version
    _, fetched = registry.fetch(kept.id, tmp_path / "cache")
    wanted = cohort_of(load_manifest(BUNDLED / "face-embedder.json"), BUNDLED).vectors
    for folder in (there, fetched):
        assert (cohort_of(load_manifest(folder / "manifest.json"), folder).vectors == wanted).all()
    (cohort,) = there.glob("*.npy")
    cohort.write_bytes(b"another")
    with pytest.raises(ModelError, match=r"cohort\.npy has sha256"):
        registry.verify(kept.id)


def test_registered_twice_is_registered_once(registry: Registry, tmp_path: Path) -> None:
    first = registry.register(made(tmp_path, "2"), by="bea")
    assert registry.register(made(tmp_path, "2"), by="ida") == first
    assert [(one.kind, one.by) for one in registry.decisions()] == [("registered", "bea")]


def test_another_model_can_not_take_a_version_that_is_there(registry: Registry, tmp_path: Path) -> None:
    first = registry.register(made(tmp_path, "2"), by="bea")
    with pytest.raises(RegistryError, match="as another model"):
        registry.register(made(tmp_path, "2", low_threshold=0.25), by="ida")
    assert opened(tmp_path).verify("detector@2") == first


def test_of_two_that_register_at_once_the_first_one_s_is_whole_and_the_other_is_told(tmp_path: Path) -> None:
    """The first one is through at the moment at which the other would name its own model."""

    def trained(folder: Path, pictures: str) -> Path:
        learnt = DataReference(name=LEARNT, sha256=hashlib.sha256(pictures.encode()).hexdigest())
        file = made(folder, "2", lineage=Lineage(data=(learnt,)))
        file.with_suffix(".learnt").write_text(pictures)
        file.with_suffix(".md").write_text(f"# {pictures}")
        return file

    first, other = trained(tmp_path / "one", "a b"), trained(tmp_path / "another", "c")

    class Later(Folder):
        """Where somebody else is quicker."""

        def create(self, path: str, data: bytes) -> bool:
            if path.endswith("manifest.json"):
                opened(tmp_path).register(first, by="bea")
            return super().create(path, data)

    key = signing_key({}, tmp_path / "signing.key")
    with pytest.raises(RegistryError, match="detector@2 is in the registry already, as another model"):
        Registry(Later(tmp_path / "registry"), [key.public], lambda: AT_MS, key).register(other, by="ida")
    registry = opened(tmp_path)
    assert (registry.learnt("detector@2"), registry.card("detector@2")) == ({"a", "b"}, "# a b")
    assert [one.by for one in registry.decisions()] == ["bea"]


@pytest.mark.parametrize("id", ["detector", "../x@1", "a/b@1", "_log@1", "detector@..", "detector@"])
def test_what_is_no_id_reaches_no_file(registry: Registry, id: str) -> None:
    with pytest.raises(RegistryError, match="no model's id"):
        registry.get(id)


def test_a_changed_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    kept = registry.register(made(tmp_path, "2"), by="bea")
    file = tmp_path / "registry/detector/2" / kept.file
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    for refused in (lambda: registry.verify("detector@2"), lambda: registry.fetch("detector@2", tmp_path / "cache")):
        with pytest.raises(ModelError, match="the manifest says"):
            refused()
    with pytest.raises(ModelError, match="the manifest says"):
        registry.promote("detector@2", SITE, "everywhere", by="bea", forced="test")
    assert registry.standing(SITE) == {}


def test_a_changed_manifest_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.register(made(tmp_path, "2"), by="bea")
    file = tmp_path / "registry/detector/2/manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"low_threshold":0.5', b'"low_threshold":0.9'))
    with pytest.raises(ModelError, match="was changed after it was signed"):
        opened(tmp_path).verify("detector@2")


@pytest.mark.parametrize(
    ("file", "reason"), [(None, "is the manifest of detector@2"), ("../../../model", "outside its folder")]
)
def test_a_manifest_counts_at_its_own_place_only(tmp_path: Path, file: str | None, reason: str) -> None:
    """Who may write into the bucket, but has no key, could put an old version that is signed in a new one's place."""
    kept = opened(tmp_path).register(made(tmp_path, "2"), by="bea")
    moved = kept if file is None else msgspec.structs.replace(kept, version="3", file=file)
    there = tmp_path / "registry/detector/3"
    shutil.copytree(tmp_path / "registry/detector/2", there)
    (there / "manifest.json").write_bytes(msgspec.json.encode(moved))
    with pytest.raises(RegistryError, match=reason):
        opened(tmp_path).fetch("detector@3", tmp_path / "cache")


def test_a_list_of_learnt_pictures_that_was_changed_is_no_list(registry: Registry, tmp_path: Path) -> None:
    first = made(tmp_path, "2")
    digest = hashlib.sha256(first.with_suffix(".learnt").read_bytes()).hexdigest()
    lineage = Lineage(data=(DataReference(name=LEARNT, sha256=digest),))
    registry.register(made(tmp_path, "2", lineage=lineage), by="bea")
    assert registry.learnt("detector@2") == {"0" * 64, "1" * 64}
    (kept,) = (tmp_path / "registry/detector/2").glob(f"*{LEARNT}")
    kept.rename(kept.with_name(LEARNT))
    assert len(registry.learnt("detector@2")) == 2, "as earlier versions kept it"
    kept.with_name(LEARNT).write_text("")
    with pytest.raises(ModelError, match="is not the list that the manifest names"):
        registry.learnt("detector@2")


def test_a_signature_is_of_a_trusted_key_and_of_all_that_is_said(tmp_path: Path) -> None:
    own, other = signing_key({}, tmp_path / "own.key"), signing_key({}, tmp_path / "other.key")
    lineage = Lineage(parent="detector@1", data=(DataReference(name="lobby", sha256="0" * 64),), code="1.2")
    manifest = msgspec.structs.replace(load_manifest(made(tmp_path, "2")), lineage=lineage)
    vouched = signed(manifest, own)
    check_signature(msgspec.json.decode(msgspec.json.encode(vouched), type=ModelManifest), [own.public, other.public])
    check_signature(manifest, None)
    for keys in ([own.public], []):
        with pytest.raises(ModelError, match="not signed"):
            check_signature(manifest, keys)
    with pytest.raises(ModelError, match=r"none of models\.trusted_keys"):
        check_signature(vouched, [other.public])
    with pytest.raises(ModelError, match=r"none of models\.trusted_keys"):
        check_signature(vouched, [])
    parent = msgspec.structs.replace(vouched, lineage=msgspec.structs.replace(lineage, parent="detector@0"))
    with pytest.raises(ModelError, match="was changed"):
        check_signature(parent, [own.public])


def test_what_a_later_version_adds_breaks_no_signature(tmp_path: Path) -> None:
    said = signed_bytes(load_manifest(made(tmp_path, "2")))
    assert b"lineage" not in said, "left out where it is the default, as an earlier version's manifest has none"
    assert b'"low_threshold":0.5' in said


def test_what_is_in_service_is_what_the_log_leads_to(registry: Registry, tmp_path: Path) -> None:
    registry.adopt(made(tmp_path, "1"), SITE, by="bea")
    registry.adopt(made(tmp_path, "1"), SITE, by="bea")
    for version in "23":
        registry.register(made(tmp_path, version), by="bea")
        pass_gate(registry, f"detector@{version}", against=f"detector@{int(version) - 1}")
    registry.promote("detector@2", SITE, "everywhere", by="bea")
    registry.promote("detector@3", SITE, "canary", by="bea", cameras=("gate",))
    canary = Candidate(model="detector@3", stage="canary", cameras=("gate",))
    assert registry.standing(SITE)["detector"] == Standing(
        in_service="detector@2", before=("detector@1",), candidate=canary, since_ms=AT_MS, at_ms=AT_MS
    )
    registry.promote("detector@3", SITE, "everywhere", by="bea")
    assert now_of(registry) == ("detector@3", None)
    registry.rollback("detector", SITE, by="bea", why="too many alerts")
    assert now_of(registry) == ("detector@2", None)
    registry.promote("detector@3", SITE, "shadow", by="bea", share=0.1)
    assert now_of(registry) == ("detector@2", "detector@3")
    with pytest.raises(RegistryError, match="detector@3 would be rolled back, not detector@2"):
        registry.rollback("detector", SITE, by="guard", model="detector@2")
    registry.rollback("detector", SITE, by="bea")
    assert now_of(registry) == ("detector@2", None)
    registry.rollback("detector", SITE, by="bea")
    assert now_of(registry) == ("detector@1", None)
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback("detector", SITE, by="bea")
    assert registry.standing("another site") == {}


def test_the_gate_is_before_every_stage(registry: Registry, tmp_path: Path) -> None:
    for version in "23":
        registry.register(made(tmp_path, version), by="bea")
    with pytest.raises(RegistryError, match="not been through the gate"):
        registry.promote("detector@2", SITE, "shadow", by="bea")
    registry.gated("detector@2", passed=False, against="", report=REPORT, by="gate", why="person at hall: -41 points")
    with pytest.raises(RegistryError, match="refused by the gate: person at hall"):
        registry.promote("detector@2", SITE, "everywhere", by="bea")
    forced = registry.promote("detector@2", SITE, "everywhere", by="bea", forced="the gate's set is of another site")
    assert forced.forced
    pass_gate(registry, "detector@3")
    with pytest.raises(RegistryError, match="gate it once more"):
        registry.promote("detector@3", SITE, "everywhere", by="bea")


@pytest.mark.parametrize(("stage", "cameras"), [("canary", ()), ("everywhere", ("gate",))])
def test_a_canary_is_at_some_cameras_and_everywhere_at_all(registry: Registry, tmp_path: Path, stage, cameras) -> None:
    registry.register(made(tmp_path, "2"), by="bea")
    with pytest.raises(RegistryError, match="name"):
        registry.promote("detector@2", SITE, stage, by="bea", cameras=cameras, forced="test")


def test_face_models_do_not_change_while_everything_runs_and_classifiers_change_everywhere(
    registry: Registry, tmp_path: Path
) -> None:
    registry.register(made(tmp_path, "2", task="face-embedder"), by="bea")
    with pytest.raises(RegistryError, match="with the config and a start"):
        registry.promote("detector@2", SITE, "everywhere", by="bea", forced="test")
    registry.register(made(tmp_path, "3", task="classifier", attribute=Attribute(name="hat")), by="bea")
    with pytest.raises(RegistryError, match="everywhere at once"):
        registry.promote("detector@3", SITE, "shadow", by="bea", forced="test")
    registry.promote("detector@3", SITE, "everywhere", by="bea", forced="test")
    assert registry.standing(SITE)["classifier:hat"].in_service == "detector@3"


def test_what_many_decide_at_once_stands_one_after_the_other(tmp_path: Path) -> None:
    opened(tmp_path).register(made(tmp_path, "2"), by="bea")

    def decide(who: int) -> None:
        own = opened(tmp_path)
        for turn in range(5):
            own.gated("detector@2", passed=True, against="", report=REPORT, by=f"{who}", why=f"{turn}")

    threads = [threading.Thread(target=decide, args=(who,)) for who in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    decisions = opened(tmp_path).decisions()
    assert [one.number for one in decisions] == list(range(1, 42))
    assert len({(one.by, one.why) for one in decisions}) == 41


def test_what_a_kill_left_of_a_version_is_no_version(registry: Registry, tmp_path: Path) -> None:
    manifest = load_manifest(made(tmp_path, "2"))
    Folder(tmp_path / "registry").write(f"detector/2/{manifest.sha256[:12]}-{manifest.file}", b"half")
    assert registry.versions() == []
    with pytest.raises(RegistryError, match="there is no detector@2"):
        registry.get("detector@2")


def now_of(registry: Registry) -> tuple[str, str | None]:
    now = registry.standing(SITE)["detector"]
    return now.in_service, now.candidate.model if now.candidate is not None else None
