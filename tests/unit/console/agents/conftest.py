"""A console beside its signer, and an agent that has not enrolled yet; all as they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from console.parts import Parts
from console.signer.signing import Signer, serving
from console.wiring import Place, build
from edge.identity import Identity
from tests.agent_tools import config_of
from tests.api_tools import Clock
from tests.certificates import Authority


@pytest.fixture
def clock() -> Clock:
    """The test's certificates are good today."""
    clock = Clock()
    clock.now_ms = round(dt.datetime.now(dt.UTC).timestamp() * 1000)
    return clock


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def signer(tmp_path: Path, clock: Clock, running: ExitStack) -> Signer:
    """The signer, serving on its socket."""
    authority = Authority(tmp_path)
    (tmp_path / "ca.key").write_bytes(authority.key)
    signer = Signer(config_of(tmp_path), tmp_path / "ca.crt", tmp_path / "ca.key", clock)
    running.enter_context(serving(signer, tmp_path / "s"))
    return signer


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, signer: Signer, database: str) -> Iterator[Parts]:
    """A console beside that signer."""
    parts = build(config_of(tmp_path), Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver"), clock)
    parts.store.open()
    yield parts
    parts.store.close()


@pytest.fixture
def agent(tmp_path: Path) -> Identity:
    return Identity(tmp_path / "agent")
