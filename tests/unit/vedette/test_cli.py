"""The command's exit codes and words, without anything running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.rights import Who
from console.store.objects import ObjectKey
from console.wiring import Place, build
from contracts.config import Camera, CameraDown, Input
from contracts.config_file import load
from edge.encode import encode_jpeg
from tests.edge_tools import write_clip
from vedette.cli import main
from vedette.clips import OVERHEAD_BYTES, SPARE_BYTES, open_clip, room_bytes
from vedette.local import RUN_FILE
from vedette.replay import ReplayOptions, check_outputs

GOOD = "cameras: {gate: {inputs: [{url: gate.mp4}]}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_config_is_said_to_be_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(config)]) == 0
    assert "good; 1 camera, 0 rules" in capsys.readouterr().out


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


def test_tail_of_a_named_folder_never_takes_another_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo runs, and is what `tail` takes without a word; who names a folder means that one."""
    monkeypatch.chdir(tmp_path)
    run_file = tmp_path / ".vedette" / "demo" / RUN_FILE
    run_file.parent.mkdir(parents=True)
    run_file.write_text('{"bootstrap": "demo:1"}')
    taken: list[str] = []
    monkeypatch.setattr("vedette.tail.follow", lambda bootstrap, *_, **__: taken.append(bootstrap) or ())
    assert main(["tail", "alerts"]) == 0
    assert taken == ["demo:1"]
    assert main(["tail", "alerts", "--state", "mine"]) == 1
    assert "no system is running on mine" in capsys.readouterr().err
    assert taken == ["demo:1"]


def test_what_the_machine_refuses_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["demo", "--state", str(tmp_path / "file" / "state")]) == 1
    assert capsys.readouterr().err == f"vedette: {tmp_path / 'file' / 'state'}: Not a directory\n"


@pytest.fixture
def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if anything is started: what is wrong has to be found before."""

    def started(*_: object) -> None:
        raise AssertionError("the system was started")

    monkeypatch.setattr("vedette.local.LocalSystem.start", started)


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (["nothing.mp4"], "nothing.mp4: no such file"),
        (["{text}"], "config.yaml: no video that can be read"),
        (["gate={clip}", "yard={clip}"], "the config has no camera 'yard'"),
        (["{clip}", "{clip}"], "one too many"),
        (["gate={clip}", "gate={clip}"], "two clips for one camera"),
    ],
)
@pytest.mark.usefixtures("no_system")
def test_replay_says_what_is_wrong_with_its_clips(
    clips: list[str], said: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_clip(tmp_path / "good.avi", 3)
    given = [clip.format(clip=good, text=config) for clip in clips]
    began_s = time.monotonic()
    assert main(["replay", *given, "--config", str(config)]) == 2
    assert time.monotonic() - began_s < 10.0  # a calm machine: 0.2 s
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("no_system")
def test_replay_looks_for_room_before_it_starts(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "clip.avi", 30)
    looked: list[Path] = []

    def usage(folder: Path) -> SimpleNamespace:
        looked.append(Path(folder))
        return SimpleNamespace(free=100_000_000)

    monkeypatch.setattr("vedette.clips.shutil.disk_usage", usage)
    state = tmp_path / "big disk"
    assert main(["replay", str(clip), "--config", str(config), "--state", str(state)]) == 1
    said = capsys.readouterr().err
    assert "0.2 GB" in said
    assert "0.1 GB left" in said
    assert "--state DIR" in said
    assert [folder.parent for folder in looked] == [state]
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        ("--alerts", "{folder}", "--alerts: {folder} can't be written: Is a directory"),
        ("--mot", "{folder}", "--mot: {folder} can't be written: Is a directory"),
        ("--detections", "{clip}/x.jsonl", "--detections: {clip}/x.jsonl can't be written: "),
        ("--alerts", "{clip}", "--alerts: {clip} is a clip that is replayed"),
        ("--state", "{clip}", "--state: {clip}: File exists"),
    ],
)
@pytest.mark.usefixtures("no_system")
def test_replay_looks_at_its_outputs_before_it_starts(
    option: str, given: str, said: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, folder = write_clip(tmp_path / "clip.avi", 3), tmp_path / "folder"
    folder.mkdir()
    before = clip.read_bytes()
    arguments = [str(clip), "--config", str(config), option, given.format(clip=clip, folder=folder)]
    assert main(["replay", *arguments]) == 2
    assert capsys.readouterr().err.startswith(said.format(clip=clip, folder=folder))
    assert clip.read_bytes() == before


def test_looking_at_the_outputs_leaves_what_is_there(tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    old.write_text("earlier\n")
    check_outputs(ReplayOptions({}, 0, alerts=old, detections=tmp_path / "new" / "d.jsonl"))
    assert old.read_text() == "earlier\n"
    assert list((tmp_path / "new").iterdir()) == []


def test_the_room_of_a_clip_is_that_of_its_frames(config: Path, tmp_path: Path) -> None:
    """120 pictures, of which a fifth go at full size (320x240, smaller than what is looked at)."""
    clip = open_clip(write_clip(tmp_path / "clip.avi", 120))
    jpeg = len(encode_jpeg(clip.samples[0].copy(), height=None, quality=85, masks=()))
    room = room_bytes({"gate": clip}, load(config)) - SPARE_BYTES
    assert room == pytest.approx(120 * (jpeg + OVERHEAD_BYTES), rel=0.3)


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


def test_frigate_s_config_becomes_ours_and_what_is_left_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "frigate.yml", tmp_path / "my.yaml"
    file.write_text("""
cameras:
  gate:
    ffmpeg: {inputs: [{path: "rtsp://viewer:{FRIGATE_RTSP_PASSWORD}@gate/1", roles: [detect]}]}
    record: {enabled: true}
""")
    assert main(["import", "frigate", str(file), "--out", str(out)]) == 0
    assert load(out).rules["gate-whole-picture-alert"].labels == ("person",)
    assert "cameras.gate.record.enabled: Vedette keeps" in capsys.readouterr().err
    assert main(["import", "frigate", str(file), "--out", str(out)]) == 1  # nobody's file is written over
    file.write_text("- no mapping")
    assert main(["import", "frigate", str(file)]) == 2


def test_the_config_in_force_is_the_file_with_the_console_s_changes(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "export", "--config", str(config), "--state", str(tmp_path)]) == 1
    assert "there is no console's database" in capsys.readouterr().err
    parts = build(
        load(config),
        Place("x:1", tmp_path / "console", f"sqlite:///{tmp_path}/console/console.db", ""),
        int,
    )
    parts.store.open()
    who = Who("ada", "administrator")
    parts.changes.put(who, ObjectKey("rule", "", "down"), CameraDown(silent_s=20))
    parts.changes.put(who, ObjectKey("camera", "hall", ""), Camera(inputs=(Input(url="hall.mp4"),)))
    parts.store.close()
    out = tmp_path / "now.yaml"
    assert main(["config", "export", "--config", str(config), "--state", str(tmp_path), "--out", str(out)]) == 0
    found = load(out)
    assert found.rules == {"down": CameraDown(silent_s=20)}
    assert list(found.cameras) == ["gate", "hall"]
