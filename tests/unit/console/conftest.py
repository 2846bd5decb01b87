"""A store on each database: SQLite in a file, and a real PostgreSQL server where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from console.store.store import Store
from tests.postgres import MISSING, binaries, postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One server for the session."""
    if binaries() is None:
        pytest.skip(MISSING)
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path}/console/console.db")
    else:
        store = Store(request.getfixturevalue("postgres_url"))
        with store.database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    store.open()
    yield store
    store.close()
