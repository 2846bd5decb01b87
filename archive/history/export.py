"""Rows as a CSV or Parquet file to take away; text that a spreadsheet would run is marked in CSV."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from archive.history.parquet import empty, quoted, read_lines
from archive.history.rows import TIME, Kind, columns
from archive.history.search import Search, Wanted

Format = Literal["csv", "parquet"]
PIECE = 1 << 16


class Export:
    """Writes what is taken away into files of its own below the history's folder; each goes when it has been read."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._folder = search.root / ".exports"

    def clean(self) -> None:
        """Delete what a killed process left."""
        for path in self._folder.glob("*"):
            path.unlink(missing_ok=True)

    def history(
        self, kind: Kind, wanted: Wanted, form: Format, most: int, without: Collection[str] = ()
    ) -> Iterator[bytes]:
        """The wanted rows, the earliest first, `most` at most, piece by piece, `without` some of their columns."""
        text, parameters = self._search.source(kind, wanted) or (empty(columns(kind)), {})
        types = {name: sql for name, sql in columns(kind).items() if name not in without}
        return self._file(text, types, f"ORDER BY {TIME[kind]}, id LIMIT {most:d}", form, parameters)

    def rows(self, rows: Iterable[msgspec.Struct], types: Mapping[str, str], form: Format) -> Iterator[bytes]:
        """Rows from elsewhere, which have these columns and SQL types, piece by piece."""
        with self._temporary("ndjson") as lines:
            with lines.open("wb") as file:
                for row in rows:
                    file.write(msgspec.json.encode(row) + b"\n")
            yield from self._file(read_lines(lines, types), types, "", form, {})

    def _file(
        self, text: str, types: Mapping[str, str], order: str, form: Format, parameters: dict[str, Any]
    ) -> Iterator[bytes]:
        shown = ", ".join(_shown(name, sql, form) for name, sql in types.items())
        how = "FORMAT parquet, COMPRESSION zstd" if form == "parquet" else "FORMAT csv, HEADER"
        with self._temporary(form) as path, self._search.cursor() as cursor:
            cursor.execute(f"COPY (SELECT {shown} FROM ({text}) {order}) TO {quoted(str(path))} ({how})", parameters)  # noqa: S608
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece

    @contextmanager
    def _temporary(self, ending: str) -> Iterator[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}.{ending}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _shown(name: str, sql: str, form: Format) -> str:
    if form == "parquet":
        return name
    text = f"array_to_string({name}, ' ')" if sql.endswith("[]") else name
    if "VARCHAR" not in sql:
        return f"{text} AS {name}"
    return f"CASE WHEN regexp_matches({text}, '^[=+@\\t\\r-]') THEN '''' || {text} ELSE {text} END AS {name}"
