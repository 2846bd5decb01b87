"""`vedette faces` against the real API: key, enrolment, list, removal, and what it says when that can't be."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from console.__main__ import _tell
from console.wiring import Place, api
from tests.builders import jpeg_of, solid
from tests.people_tools import Clock, a_master, people_parts, portrait
from vault import master_key
from vedette.cli import main
from vedette.console_api import ConsoleApi
from vedette.faces import own_key


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a system whose console answers."""
    clock = Clock()
    parts = people_parts(tmp_path, clock, a_master())
    parts.people.step(clock.now_ms)
    server = uvicorn.Server(uvicorn.Config(api(parts), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    _tell(Place("", tmp_path / "console", "", address), None, parts.gate.local_token())
    yield tmp_path
    server.should_exit = True
    thread.join(5)
    parts.store.close()


def test_a_key_is_one_that_the_environment_may_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faces", "key"]) == 0
    assert master_key({"VEDETTE_MASTER_KEY": capsys.readouterr().out}) is not None


def test_enrol_list_and_remove(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, empty = tmp_path / "bea.jpg", tmp_path / "empty.jpg"
    picture.write_bytes(portrait())
    empty.write_bytes(jpeg_of(solid(300, 300)))
    where = ["--state", str(state)]
    assert main(["faces", "enrol", "Bea", str(picture), "--group", "banned", *where]) == 0
    assert main(["faces", "list", *where]) == 0
    assert "banned           Bea" in capsys.readouterr().out
    assert main(["faces", "enrol", "Nobody", str(empty), *where]) == 1
    assert "empty.jpg: no face is to be found" in capsys.readouterr().err
    assert main(["faces", "search", str(picture), *where]) == 0  # no camera has seen anybody yet
    assert main(["faces", "search", str(empty), *where]) == 1
    assert main(["faces", "enrol", "Carla", str(picture), str(empty), "--sure", *where]) == 1
    assert "no face is to be found in this picture" in (said := capsys.readouterr().err)
    assert "Carla is enrolled with 1 picture before it" in said
    assert main(["faces", "remove", "Carla", *where]) == 0
    assert main(["faces", "remove", "Carl", *where]) == 1
    assert main(["faces", "remove", "Bea", *where]) == 0
    assert "within 1 s" in (said := capsys.readouterr().out)
    assert "what cameras saw can't be read after 30 days" in said
    assert main(["faces", "list", *where]) == 0
    assert capsys.readouterr().out == ""
    assert (state / "console" / "local-token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("where", "says"), [(["--state", "nowhere"], "no console is running"), (["--url", "http://x"], "set VEDETTE_TOKEN")]
)
def test_without_a_console_it_says_so(where: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faces", "list", *where]) == 1
    assert says in capsys.readouterr().err


def test_the_demo_has_a_key_of_its_own_that_stays(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    own_key(tmp_path / "master.key", environment)
    key = (tmp_path / "master.key").read_text()
    assert len(base64.b64decode(key)) == 32
    assert master_key(environment) is not None
    own_key(tmp_path / "master.key", environment := {})
    assert (tmp_path / "master.key").read_text() == key
    given = {"VEDETTE_MASTER_KEY": key}
    own_key(tmp_path / "other.key", given)
    assert not (tmp_path / "other.key").exists()


def test_a_search_says_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = {"score": 0.71, "at_ms": 1_767_225_600_000, "camera": "gate"}
    found = [("p-1", "identified"), ("p-2", "identified"), ("", "unknown")]
    answers = {
        "/api/sightings/search": {
            "sightings": [seen | {"person_id": person, "decision": said} for person, said in found]
        },
        "/api/people?text=": {"people": [{"id": "p-1", "name": "Bea"}]},
    }
    monkeypatch.setattr(ConsoleApi, "ask", lambda self, method, path, *more: answers[path])
    monkeypatch.setenv("VEDETTE_TOKEN", "a token")
    (picture := tmp_path / "bea.jpg").write_bytes(b"")
    assert main(["faces", "search", str(picture), "--url", "http://console"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.rpartition("gate")[2].strip() for line in said] == ["Bea", "removed person", "unknown"]
