"""Rows to Parquet files, and several files to one, by DuckDB: it needs 70 MB where pyarrow needs 115."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from archive.history.catalog import FILES, Entry, day_of
from archive.history.mirror import Mirror
from archive.history.rows import TIME, Kind, Row, at_ms, columns, kind_of

if TYPE_CHECKING:
    import duckdb

MEMORY = "192MB"
COMPRESSION = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"


def connected(root: Path, name: str, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database in memory that sees the folder and nothing else, and fetches nothing; `name` is whose it is."""
    import duckdb  # only where rows are written or asked for: 20 MB

    made = duckdb.connect(config={"threads": threads, "memory_limit": MEMORY, "temp_directory": str(root / f".{name}")})
    made.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    made.execute(f"SET allowed_directories = [{quoted(str(root) + '/')}]")
    made.execute("SET enable_external_access = false; SET lock_configuration = true")
    return made


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def read_lines(path: Path, types: Mapping[str, str]) -> str:
    """A query for the rows of a file of JSON lines with these columns and SQL types."""
    given = ", ".join(f"{name}: {quoted(sql)}" for name, sql in types.items())
    return f"SELECT * FROM read_json({quoted(str(path))}, format = 'newline_delimited', columns = {{{given}}})"  # noqa: S608


def empty(types: Mapping[str, str]) -> str:
    """A query for no rows with these columns."""
    return f"SELECT {', '.join(f'NULL::{sql} AS {name}' for name, sql in types.items())} WHERE false"


class ParquetWriter:
    """Writes files into a mirror; each is complete on disk before it has its name."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._root = mirror.root
        self._root.mkdir(parents=True, exist_ok=True)
        self._database = connected(self._root, "writer")

    def write(self, rows: Iterable[Row]) -> tuple[Entry, ...]:
        """A file for each site, kind and day of the rows."""
        groups: dict[tuple[str, Kind, str], list[Row]] = {}
        for row in rows:
            groups.setdefault((row.site, kind_of(row), day_of(at_ms(row))), []).append(row)
        return tuple(self._group(*key, found) for key, found in groups.items())

    def merge(self, entries: Sequence[Entry]) -> Entry:
        """One file of the rows of several of the same site, kind and day."""
        first = entries[0]
        names = ", ".join(quoted(str(self._mirror.path(one.name))) for one in entries)
        query = f"SELECT * FROM read_parquet([{names}], union_by_name = true, hive_partitioning = false)"  # noqa: S608
        return self._kept(first.site, first.kind, first.day, query, entries)

    def _group(self, site: str, kind: Kind, day: str, rows: list[Row]) -> Entry:
        lines = self._root / f".{uuid.uuid4().hex}.ndjson"
        lines.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
        query = read_lines(lines, columns(kind))
        times = [at_ms(row) for row in rows]
        span = Entry(
            name="", site=site, kind=kind, day=day, first_ms=min(times), last_ms=max(times), rows=len(rows), bytes=0
        )
        try:
            return self._kept(site, kind, day, query, [span])
        finally:
            lines.unlink()

    def _kept(self, site: str, kind: Kind, day: str, query: str, of: Sequence[Entry]) -> Entry:
        folder = self._root / FILES / f"site={site}" / f"kind={kind}" / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        temporary = path.with_name(f".{path.name}.tmp")
        self._database.execute(f"COPY ({query} ORDER BY {TIME[kind]}) TO {quoted(str(temporary))} {COMPRESSION}")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        name = str(path.relative_to(self._root))
        self._mirror.put(name)
        return Entry(
            name=name,
            site=site,
            kind=kind,
            day=day,
            first_ms=min(one.first_ms for one in of),
            last_ms=max(one.last_ms for one in of),
            rows=sum(one.rows for one in of),
            bytes=path.stat().st_size,
        )

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()


def to_merge(files: Iterable[Entry], today: str) -> list[list[Entry]]:
    """Which files are to become one: eight of about the same size (powers of 4 rows), two of a day that is over."""
    groups: dict[tuple[str, Kind, str, int], list[Entry]] = {}
    for one in files:
        groups.setdefault((one.site, one.kind, one.day, one.rows.bit_length() // 2), []).append(one)
    return [alike for (_, _, day, _), alike in groups.items() if len(alike) >= (2 if day < today else 8)]
