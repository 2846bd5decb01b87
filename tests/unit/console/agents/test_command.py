"""`vedette agents` against the real API: a token, the list, the end."""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from console.__main__ import _tell
from console.parts import Parts
from console.wiring import Place, api
from edge.identity import Identity
from tests.agent_tools import SITE, asks, told
from vedette.agents import seconds
from vedette.cli import main


@pytest.fixture
def state(parts: Parts, tmp_path: Path) -> Iterator[list[str]]:
    """The console, answering; how the command finds it."""
    server = uvicorn.Server(uvicorn.Config(api(parts), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    _tell(Place("", tmp_path / "console", "", address), None, parts.gate.local_token())
    yield ["--state", str(tmp_path)]
    server.should_exit = True
    thread.join(5)


def test_the_command_makes_tokens_lists_agents_and_takes_one_out(
    parts: Parts, agent: Identity, state: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agents", "token", "north", "--valid", "30m", *state]) == 0
    agent.enrol(asks(parts), capsys.readouterr().out.strip(), "https://console", "", SITE, "1.0")
    assert main(["agents", "list", *state]) == 0
    north, south = capsys.readouterr().out.splitlines()
    assert re.match(r"north +certificate until .* UTC +1\.0 +10\.0\.0\.7 +reads nothing", north)
    assert re.match(r"south +has not enrolled", south)
    assert main(["agents", "revoke", "north", *state]) == 0
    assert main(["agents", "list", *state]) == 0
    assert "north                    taken out" in capsys.readouterr().out
    assert main(["agents", "token", "west", *state]) == 1
    assert "edge.agents has no 'west'" in capsys.readouterr().err
    assert told(parts)[0] == ("add agent token", "north")


@pytest.mark.parametrize(("text", "meant"), [("30m", 1800), ("1h", 3600), ("2d", 172_800)])
def test_how_long_a_token_is_good_is_said_in_words(text: str, meant: int) -> None:
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["", "1", "0h", "1 h", "1w", "-1h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="1h"):
        seconds(text)
