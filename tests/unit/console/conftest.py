"""A store on each database (SQLite in a file, a real PostgreSQL server where there is one); a console's API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from console.parts import Parts
from console.store.store import Store
from console.wiring import Place, build
from contracts.config_file import parse
from tests.api_tools import Browser, Clock, browser
from tests.console_process import CONFIG
from tests.console_tools import alert_of, take
from tests.postgres import MISSING, binaries, postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One server for the session."""
    if binaries() is None:
        pytest.skip(MISSING)
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database of today's form: a copy of it is there in a tenth of the time that migrations take."""
    file = tmp_path_factory.mktemp("migrated") / "console.db"
    store = Store(f"sqlite:///{file}")
    store.open()
    store.close()
    return file


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> str:
    """A database of the test's own, where a console has it; its URL."""
    (tmp_path / "console").mkdir()
    return f"sqlite:///{shutil.copy(migrated, tmp_path / 'console')}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    if request.param == "sqlite":
        store = Store(request.getfixturevalue("database"))
    else:
        store = Store(request.getfixturevalue("postgres_url"))
        with store.database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    store.open()
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, database: str) -> Iterator[Parts]:
    """The console without broker and pages."""
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(parse(CONFIG), place, clock)
    parts.store.open()
    take(parts.store, *(alert_of(n, camera=("gate", "hall")[n % 2]) for n in range(4)))
    yield parts
    parts.store.close()


@pytest.fixture
def ada(parts: Parts) -> Browser:
    """The first administrator."""
    secret = parts.gate.first_link(parts.clock_ms())
    assert secret is not None
    return browser(parts).enter(parts, "ada", secret)
