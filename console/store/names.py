"""Names of cameras, zones, rules, kinds and labels as small numbers, kept in memory in both directions."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import NoResultFound

from console.store.database import Database
from console.store.tables import names


class Names:
    """The dictionary. It only grows, by what the config and its changes name: a few thousand at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def number(self, name: str) -> int | None:
        """The number of a name, None when no alert ever had it."""
        found = self._numbers.get(name)
        if found is None:
            self._load()
            found = self._numbers.get(name)
        return found

    def known(self, name: str) -> int:
        """The number of a name that `ensure` was asked for before; raises KeyError for any other."""
        return self._numbers[name]

    def name(self, number: int) -> str:
        """The name of a number; raises NoResultFound for one that was never given."""
        found = self._names.get(number)
        if found is None:
            self._load()
            found = self._names.get(number)
        if found is None:
            raise NoResultFound(f"no name has the number {number}")
        return found

    def ensure(self, wanted: Iterable[str]) -> dict[str, int]:
        """Numbers of all of `wanted`, new ones given in a transaction of their own: a number once seen stays."""
        every = set(wanted)
        missing = every - self._numbers.keys()
        if missing:
            with self._database.write() as connection:
                _add(connection, missing, sqlite_dialect=self._database.is_sqlite)
            self._load()
        return {name: self._numbers[name] for name in every}

    def _load(self) -> None:
        with self._lock, self._database.read() as connection:
            for number, name in connection.execute(select(names.c.number, names.c.name)):
                self._numbers[name] = number
                self._names[number] = name


def _add(connection: Connection, missing: Iterable[str], *, sqlite_dialect: bool) -> None:
    insert = sqlite.insert if sqlite_dialect else postgresql.insert
    rows = [{"name": name} for name in sorted(missing)]
    connection.execute(insert(names).on_conflict_do_nothing(), rows)
