"""The database behind the store: SQLite in WAL mode, or PostgreSQL; reading and writing transactions; migrations."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import QueuePool

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"

SQLITE_CACHE_KIB = 64 * 1024
SQLITE_MMAP_BYTES = 1024**3
SQLITE_LOG_PAGES = 4000
"""16 MiB of the log before it goes into the database: an alert changes 20 pages, mostly those of the one before."""
BUSY_MS = 10_000
"""How long a writer waits for another process's transaction (SQLite)."""
WIPE_MS = 500
"""How long all writers may wait for a reader, so that the log can be cut; `wipe_again` tries until it is."""


class Database:
    """One database by its URL. Nothing is opened before the first use."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else create_engine(self.url, pool_pre_ping=True)
        # SQLite takes one writer at a time; waiting here is fairer than its own trying again.
        self._writing = threading.Lock()
        self._unwiped = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, repeatable: bool = False) -> Iterator[Connection]:
        """A transaction: all of it or nothing. Not to be nested.

        One that is `repeatable` is made anew after a power cut (what it is made of is still there), so nobody waits for
        the disk: 5-20 ms each, during which no other may write. Any other one's wait brings it to the disk as well.
        """
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                if repeatable:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection
            return
        options = {"writes": True, "repeatable": repeatable}
        with self._writing, self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def upgrade(self) -> None:
        """Bring the tables to today's form; raises what the database says when it can't."""
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        config = AlembicConfig()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def wipe(self, tables: Sequence[str]) -> None:
        """Leave nothing of deleted rows of `tables` in the database's own files. Blocks; raises OperationalError.

        SQLite has overwritten them, and the log of writes is cut here; where somebody reads for longer than `WIPE_MS`,
        `wipe_again` does it. PostgreSQL writes the tables anew. What a server archives is its administrator's.
        """
        if self.is_sqlite:
            self._unwiped = not self._cut_log(WIPE_MS)
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(tables)}")

    def wipe_again(self) -> bool:
        """Cut the log of writes where that had to wait for a reader; whether all that was deleted is gone."""
        if self._unwiped:
            self._unwiped = not self._cut_log(0)
        return not self._unwiped

    def _cut_log(self, wait_ms: int) -> bool:
        with self._writing, self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")
        return not busy

    def close(self) -> None:
        """Give all connections up."""
        self.engine.dispose()


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False})

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin as `began` says, not as the driver guesses
        for pragma in (
            "journal_mode=WAL",
            f"busy_timeout={BUSY_MS}",
            "foreign_keys=ON",
            "secure_delete=ON",  # a key that was thrown away is in no free page either
            f"wal_autocheckpoint={SQLITE_LOG_PAGES}",
            f"cache_size=-{SQLITE_CACHE_KIB}",
            f"mmap_size={SQLITE_MMAP_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def began(connection: Connection) -> None:
        # A transaction that reads first and then writes would fail where another one wrote in between.
        options = connection.get_execution_options()
        if not options.get("writes", False):
            connection.exec_driver_sql("BEGIN")
            return
        # An answer that was given is on the disk, also after a power cut.
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get('repeatable') else 'FULL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine
