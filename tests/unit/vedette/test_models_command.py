"""`vedette models`: versions come in, are compared, promoted and rolled back; each decision stands in the audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.registry import Registry, registry_of
from console.store.store import Store
from contracts.config_file import load
from contracts.manifest import Attribute
from tests.gate_tools import bright_set
from tests.registry_tools import AT_MS, SITE, made, pass_gate
from vedette.cli import main


@pytest.fixture
def site(tmp_path: Path) -> list[str]:
    """A site with a registry that starts with the tiny model; the arguments that say where it is."""
    config = tmp_path / "my.yaml"
    config.write_text(
        f"site: {{name: {SITE}}}\ncameras: {{gate: {{inputs: [{{url: clip.mp4}}]}}}}\n"
        f"models: {{folder: {tmp_path}/registry}}\nstream: {{model: {made(tmp_path, '1')}}}\n"
    )
    return ["--config", str(config), "--state", str(tmp_path / "state")]


def registry(site: list[str]) -> Registry:
    found = registry_of(load(Path(site[1])).models, lambda: AT_MS)
    assert found is not None
    return found


def test_a_version_comes_in_goes_into_service_and_back(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "register", str(made(tmp_path, "2", metrics={"ap50": 0.75})), *site]) == 0
    assert main(["models", "promote", "detector@2", "--stage", "everywhere", *site]) == 1
    assert "not been through the gate" in capsys.readouterr().err
    pass_gate(registry(site), "detector@2", against="detector@1")
    assert main(["models", "promote", "detector@2", "--stage", "canary", "--cameras", "yard", *site]) == 1
    assert "no camera `yard`" in capsys.readouterr().err
    assert main(["models", "promote", "detector@2", "--stage", "canary", "--cameras", "gate", *site]) == 0
    assert main(["models", "list", *site]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[0] for line in lines] == ["detector@1", "detector@2"]
    assert lines[0].endswith("in service")
    assert lines[1].endswith("canary: gate")
    assert main(["models", "promote", "detector@2", "--stage", "everywhere", "--why", "good at gate", *site]) == 0
    assert main(["models", "rollback", "--why", "misses cars", *site]) == 0
    assert registry(site).standing(SITE)["detector"].in_service == "detector@1"
    store = Store(f"sqlite:///{tmp_path}/state/console/console.db")
    entries = store.audit.page(limit=3)
    store.close()
    assert [(one.action, one.subject) for one in entries] == [
        ("model_rolled_back", "detector@2"),
        ("model_promoted", "detector@2"),
        ("model_promoted", "detector@2"),
    ]
    assert "misses cars" in entries[0].details


def test_a_classifier_of_the_config_changes_in_its_own_slot(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hat = {"task": "classifier", "name": "hats", "attribute": Attribute(name="hat")}
    first, other = (made(tmp_path, version, **hat) for version in ("1", "2"))
    assert main(["models", "register", str(other), *site]) == 0
    forced = ["--stage", "everywhere", "--force", "test"]
    assert main(["models", "promote", "hats@2", *forced, *site]) == 1
    assert "no classifier `hat`" in capsys.readouterr().err
    config = Path(site[1])
    config.write_text(config.read_text() + f"classifiers: {{hat: {{manifest: {first}}}}}\n")
    assert main(["models", "register", str(other), *site]) == 0
    assert main(["models", "promote", "hats@2", *forced, *site]) == 0
    standing = registry(site).standing(SITE)
    assert {slot: now.in_service for slot, now in standing.items()} == {
        "detector": "detector@1",
        "classifier:hat": "hats@2",
    }
    assert main(["models", "rollback", "classifier:hat", *site]) == 0
    assert registry(site).standing(SITE)["classifier:hat"].in_service == "hats@1"


def test_who_goes_past_the_gate_says_why(site: list[str], tmp_path: Path) -> None:
    main(["models", "register", str(made(tmp_path, "2")), *site])
    forced = ["--stage", "everywhere", "--force", "the only one that sees forklifts"]
    assert main(["models", "promote", "detector@2", *forced, *site]) == 0
    assert registry(site).decisions()[-1].forced == "the only one that sees forklifts"


def test_the_gate_s_word_is_kept_and_ends_the_command(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bright_set(tmp_path)
    capsys.readouterr()
    assert main(["models", "freeze", str(tmp_path / "set.json"), *site]) == 0
    gate, said = tmp_path / "gate.yaml", capsys.readouterr().out
    assert said.startswith("# 24 pictures say no `captured_at_ms`")
    gate.write_text(said + "limits: {resamples: 50, slowdown: 10}\n")
    main(["models", "register", str(made(tmp_path, "2", label_map={"blue": "blue"})), *site])
    main(["models", "register", str(made(tmp_path, "3", label_map={"blue": "blue", "red": "red"})), *site])
    assert main(["models", "gate", "detector@2", "--sets", str(gate), *site]) == 3
    said = capsys.readouterr()
    assert "red at hall" in said.err
    assert "where it loses most" in said.out
    page = (tmp_path / "state" / "gate" / "report.html").read_text()
    assert "<h1>detector@2 refused, against detector@1</h1>" in page
    assert (page.count("<h3>"), page.count("<figcaption>Where detector@1 looks"), page.count("<img")) == (4, 4, 8)
    assert "Where detector@2 looks is not shown everywhere: detector@2 knows no" in page
    assert main(["models", "promote", "detector@2", "--stage", "shadow", *site]) == 1
    assert "refused by the gate" in capsys.readouterr().err
    assert main(["models", "gate", "detector@3", "--sets", str(gate), "--against", "detector@2", *site]) == 0
    word = registry(site).get("detector@3").gate
    assert word is not None
    assert (word.passed, word.against) == (True, "detector@2")
    assert registry(site).report(word).startswith("# detector@3 let through, against detector@2")


def test_versions_are_shown_and_compared(site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, ap50 in (("2", 0.5), ("3", 0.75)):
        main(["models", "register", str(made(tmp_path, version, metrics={"ap50": ap50})), *site])
    pass_gate(registry(site), "detector@3", against="detector@1")
    assert main(["models", "show", "detector@3", *site]) == 0
    shown = capsys.readouterr().out
    for part in ('"ap50": 0.75', "let through by the gate, against detector@1", "# good"):
        assert part in shown
    assert main(["models", "diff", "detector@2", "detector@3", *site]) == 0
    assert "metrics.ap50: 0.5 -> 0.75  (+0.25)" in capsys.readouterr().out.splitlines()


def test_a_changed_file_is_found(site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "register", str(made(tmp_path, "2")), *site])
    assert main(["models", "verify", *site]) == 0
    file = next((tmp_path / "registry/detector/2").glob("*.onnx"))
    file.write_bytes(b"another")
    assert main(["models", "verify", *site]) == 1
    said = capsys.readouterr()
    assert "detector@1: good" in said.out
    assert "the manifest says" in said.out


def test_without_a_registry_the_config_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "my.yaml"
    config.write_text("cameras: {gate: {inputs: [{url: clip.mp4}]}}\n")
    assert main(["models", "list", "--config", str(config)]) == 2
    assert "models.folder" in capsys.readouterr().err
