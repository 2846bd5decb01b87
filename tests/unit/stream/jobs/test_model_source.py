"""Which models the jobs take: from the registry or a folder, as promised, and of those that they trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from archive.registry import signed
from contracts.codec import encode
from contracts.config import Models
from contracts.controls import Control, SetModel
from contracts.errors import ModelError
from contracts.face_models import BUNDLED
from contracts.manifest import Attribute, ModelManifest, load_manifest
from contracts.metrics import Metrics
from stream.jobs.model_control import ModelControl
from stream.jobs.model_source import ModelSource
from stream.vision import ModelSlot, SessionOptions, Slot
from stream.vision.classifier import Classifier
from tests.builders import DATA, manifest_of, shade_manifest
from tests.registry_tools import AT_MS, made, opened
from vault import signing_key


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    """Of a site that trusts the key of the registry in `tmp_path`."""
    key = signing_key({}, tmp_path / "signing.key")
    models = Models(folder=str(tmp_path / "registry"), trusted_keys=(str(key.public),))
    return ModelSource(models, str(tmp_path / "cache"))


@pytest.fixture
def kept(tmp_path: Path) -> ModelManifest:
    """A version in that registry."""
    return opened(tmp_path).register(made(tmp_path, "2"), by="bea")


def test_a_signed_version_is_fetched(source: ModelSource, kept: ModelManifest) -> None:
    assert load_manifest(source.folder_of(kept, "") / "manifest.json") == kept


def test_what_is_not_signed_is_refused_from_a_folder_too(source: ModelSource, tmp_path: Path) -> None:
    file = made(tmp_path, "2")
    with pytest.raises(ModelError, match="not signed"):
        source.folder_of(load_manifest(file), str(file.parent))
    with pytest.raises(ModelError, match="not signed"):
        source.starting(file)
    assert ModelSource().folder_of(load_manifest(file), str(file.parent)) == file.parent


def test_what_came_with_vedette_needs_no_signature(source: ModelSource) -> None:
    assert source.starting(BUNDLED / "detector.json").name == "detector"


def test_where_only_what_is_signed_is_taken_and_nobody_signs_yet_what_came_with_vedette_runs(
    kept: ModelManifest, tmp_path: Path
) -> None:
    fresh = ModelSource(Models(folder=str(tmp_path / "registry"), signed_only=True), str(tmp_path / "cache"))
    assert fresh.starting(BUNDLED / "detector.json").name == "detector"
    with pytest.raises(ModelError, match=r"none of models\.trusted_keys"):
        fresh.folder_of(kept, "")


def test_a_key_that_is_replaced_counts_for_as_long_as_it_is_named(kept: ModelManifest, tmp_path: Path) -> None:
    before, after = (signing_key({}, tmp_path / name).public for name in ("signing.key", "models.key"))
    for keys, taken in (((before,), True), ((after, before), True), ((after,), False)):
        models = Models(folder=str(tmp_path / "registry"), trusted_keys=tuple(str(key) for key in keys))
        source = ModelSource(models, str(tmp_path / "cache"))
        if taken:
            assert load_manifest(source.folder_of(kept, "") / "manifest.json") == kept
        else:
            with pytest.raises(ModelError, match="none of"):
                source.folder_of(kept, "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "3"}, "there is no detector@3"),
        ({"low_threshold": 0.25}, "another than the one that was promoted"),
    ],
)
def test_another_than_the_registry_s_is_refused(
    source: ModelSource, kept: ModelManifest, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    other = signed(replace(kept, **change), signing_key({}, tmp_path / "signing.key"))
    with pytest.raises(ModelError, match=reason):
        source.folder_of(other, "")


def test_without_a_registry_nothing_is_fetched(kept: ModelManifest) -> None:
    with pytest.raises(ModelError, match=r"models\.folder"):
        ModelSource().folder_of(kept, "")


def test_a_refused_model_leaves_the_one_in_service(source: ModelSource, kept: ModelManifest, tmp_path: Path) -> None:
    slot = ModelSlot(SessionOptions(device="cpu"), Metrics(CollectorRegistry()), lambda: AT_MS, source.folder_of)
    slot.swap(manifest_of(DATA / "bright_boxes.onnx"), DATA)
    control = ModelControl("broker:9092", "controls", [slot])
    in_service = []
    for number, manifest in enumerate((replace(kept, low_threshold=0.9), kept)):
        change = SetModel(manifest=manifest, folder="")
        control.apply(
            encode(Control(site="home", origin="console", version=number, effective_from_ms=AT_MS, change=change))
        )
        slot.settle()
        in_service.append((slot.get().manifest.id, slot.status().state))
    assert in_service == [("bright_boxes@1", "refused"), ("detector@2", "ready")]


def test_each_slot_takes_its_own_models_and_what_has_none_is_said(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics(CollectorRegistry())
    detectors = ModelSlot(SessionOptions(device="cpu"), metrics, lambda: AT_MS)
    detectors.swap(manifest_of(DATA / "bright_boxes.onnx"), DATA)
    shades = Slot(lambda manifest, at: Classifier.open(manifest, at, SessionOptions(device="cpu")), metrics)
    shades.swap(shade_manifest(), DATA)
    control = ModelControl("broker:9092", "controls", [detectors, shades])
    for number, manifest in enumerate(
        (
            shade_manifest(version="2"),
            shade_manifest(version="3", attribute=Attribute(name="hat")),
            manifest_of(DATA / "bright_boxes.onnx", version="2"),
            manifest_of(DATA / "bright_boxes.onnx", version="3", task="face-embedder"),
        )
    ):
        change = SetModel(manifest=manifest, folder=str(DATA))
        control.apply(
            encode(Control(site="home", origin="console", version=number, effective_from_ms=AT_MS, change=change))
        )
    detectors.settle()
    shades.settle()
    assert (detectors.get().manifest.id, shades.get().manifest.id) == ("bright_boxes@2", "bright_classifier@2")
    refused = [line for line in caplog.messages if "is refused" in line]
    assert [line.split()[3] for line in refused] == ["classifier:hat", "face-embedder"]
    assert all("detector, classifier:shade" in line for line in refused)
