"""The command's exit codes and words, without anything running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vedette.cli import main

GOOD = "cameras: {gate: {inputs: [{url: gate.mp4}]}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_config_is_said_to_be_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(config)]) == 0
    assert "good; 1 cameras, 0 rules" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["config", "check"], ["up", "--config"], ["doctor", "--config"]])
def test_a_wrong_config_ends_with_2_and_its_path(
    command: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("cameras: {gate: {inputs: [{url: gate.mp4, loop: perhaps}]}}\n")
    assert main([*command, str(config)]) == 2
    assert capsys.readouterr().err.startswith("cameras.gate.inputs[0].loop: ")


@pytest.mark.parametrize("of", ["config", "alert", "event"])
def test_schemas_are_json(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema", of]) == 0
    assert "$defs" in json.loads(capsys.readouterr().out)


def test_tail_says_which_topics_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "alarms"]) == 1
    assert "alerts" in capsys.readouterr().err


def test_tail_without_a_system_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tail", "alerts"]) == 1
    assert "no system is running here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("clips", "said", "code"),
    [
        (["nothing.mp4"], "nothing.mp4: no such file", 1),
        (["yard=nothing.mp4"], "the config has no camera 'yard'", 2),
        (["{file}", "{file}"], "one too many", 2),
        (["gate={file}", "gate={file}"], "two clips for one camera", 2),
    ],
)
def test_replay_says_what_is_wrong_with_its_clips(
    clips: list[str], said: str, code: int, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [clip.replace("{file}", str(config)) for clip in clips]
    assert main(["replay", *given, "--config", str(config)]) == code
    assert said in capsys.readouterr().err


def test_training_without_torch_says_how_to_get_it(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["train", "detector", "--data", "x", "--out", "y"]) == 1
    assert "vedette[training]" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["config", "check"], ["doctor", "--config"]])
def test_a_secret_that_is_not_set_is_named_with_its_path(
    command: list[str], config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    config.write_text("cameras: {gate: {inputs: [{url: 'rtsp://a:{GATE_PASSWORD}@127.0.0.1:9/1'}]}}\n")
    assert main([*command, str(config)]) == int(command[0] == "doctor")
    said = capsys.readouterr()
    assert "cameras.gate.inputs[0].url: the secret GATE_PASSWORD is not set in the environment" in said.out + said.err
