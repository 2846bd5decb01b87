"""A store on each database (SQLite in a file, a real PostgreSQL server where there is one); a console's API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from console.parts import Parts
from console.store.store import Store
from console.wiring import Place, build
from contracts.config_file import parse
from tests.api_tools import Browser, Clock, browser
from tests.console_process import CONFIG
from tests.console_tools import alert_of, take
from tests.postgres import MISSING, binaries, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """One server for the session, whose database `migrated` is empty and of today's form."""
    if binaries() is None:
        pytest.skip(MISSING)
    with postgres(durable=False) as url:
        server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        _say(server, "CREATE DATABASE migrated")
        store = Store(server.url.set(database="migrated"))
        store.open()
        store.close()
        yield server


@pytest.fixture
def postgres_url(postgres_server: Engine) -> Iterator[str]:
    """A database of the test's own: a copy is there in a tenth of the time that migrations take."""
    _say(postgres_server, "CREATE DATABASE own TEMPLATE migrated")
    yield postgres_server.url.set(database="own").render_as_string(hide_password=False)
    _say(postgres_server, "DROP DATABASE own WITH (FORCE)")


def _say(server: Engine, statement: str) -> None:
    with server.connect() as connection:
        connection.execute(text(statement))


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
    store = Store(request.getfixturevalue("database" if request.param == "sqlite" else "postgres_url"))
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
