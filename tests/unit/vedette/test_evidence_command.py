"""`vedette evidence`: an alert leaves as one file, and a changed byte of it, or of what is kept, is said."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from archive.evidence import paths
from archive.evidence.chain import Chain
from archive.evidence.files import KEY_FILE, Folder
from console.store.store import Store
from contracts import codec
from tests.console_tools import AT_MS, alert_of, take
from vault import signing_key
from vedette.cli import main

ALERT = alert_of(1)


@pytest.fixture
def site(tmp_path: Path) -> list[str]:
    """A site with one alert and its evidence; returns the arguments that say where it is."""
    state = tmp_path / "state"
    store = Store(f"sqlite:///{state}/console/console.db")
    store.open()
    take(store, ALERT)
    store.close()
    chain = Chain(Folder(state / "archive/evidence"), signing_key({}, state / "archive" / KEY_FILE), lambda: AT_MS)
    files = {paths.CLIP: b"a film", paths.FRAME: b"a picture", paths.ALERT: codec.encode(ALERT)}
    chain.keep(paths.place_of(ALERT), files, "revision 0")
    config = tmp_path / "my.yaml"
    config.write_text("site: {name: home}\ncameras: {gate: {inputs: [{url: clip.mp4}]}}\n")
    return ["--config", str(config), "--state", str(state)]


def test_an_alert_leaves_as_one_file_that_is_checked_offline(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zip"
    assert main(["evidence", "export", "alert-1", "--out", str(out), *site]) == 0
    assert main(["evidence", "key", *site]) == 0
    key = capsys.readouterr().out.splitlines()[-1]
    assert main(["evidence", "verify", str(out), "--key", key]) == 0
    assert "good: alert alert-1 of camera gate, site home" in capsys.readouterr().out
    with zipfile.ZipFile(out) as opened:
        assert opened.read("clip.mp4") == b"a film"
        assert json.loads(opened.read("actions.json"))["row"]["id"] == "alert-1"
    store = Store(f"sqlite:///{site[-1]}/console/console.db")
    entry = store.audit.page()[0]
    store.close()
    assert (entry.action, entry.subject) == ("export", "alert-1")
    assert entry.who.startswith("command of ")

    data = out.read_bytes()
    at = data.index(b"a film") + 2
    out.write_bytes(data[:at] + b"F" + data[at + 1 :])
    assert main(["evidence", "verify", str(out)]) == 1
    assert re.fullmatch(r"vedette: clip\.mp4 \(bytes \d+-\d+\): is not as it was signed\n", capsys.readouterr().err)


def test_what_is_kept_is_checked_by_its_chain(site: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "check", *site]) == 0
    assert "home/2026-01-05: 1 alerts kept, 0 deleted, 0 faults" in capsys.readouterr().out
    Folder(Path(site[-1]) / "archive/evidence").write(paths.place_of(ALERT).file(paths.CLIP), b"another film")
    assert main(["evidence", "check", *site]) == 1
    said = capsys.readouterr()
    assert f"{paths.place_of(ALERT).folder}/clip.mp4 was changed" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "nobody"], "there is no such alert"),
        (["verify", "NOTHING"], "No such file"),
        (["verify", "my.yaml"], "no bundle at all"),
        (["verify", "my.yaml", "--key", "x"], "no public key"),
    ],
)
def test_what_can_not_be_done_is_said(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    given = [str(tmp_path / one) if one in ("my.yaml", "NOTHING") else one for one in arguments]
    assert main(["evidence", *given, *(site if arguments[0] == "export" else [])]) == 1
    assert said in capsys.readouterr().err
