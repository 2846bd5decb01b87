"""Search by words: how text is cut into them, and how SQLite (FTS5) and PostgreSQL (tsvector) are asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from sqlalchemy import Integer, Select, bindparam, column, select, table, text

from console.store.tables import alerts

MAX_WORDS = 8
_WORD = re.compile(r"[^\W_]+")


def words_of(said: str) -> list[str]:
    """The words of a text: lower case, without accents; `yard-at-night` is three."""
    plain = unicodedata.normalize("NFKD", said.casefold())
    return _WORD.findall("".join(one for one in plain if not unicodedata.combining(one)))


def token(dimension: str, number: int) -> str:
    """A word that stands for one camera, zone ..., so that the search for words narrows by them as well."""
    return f"xx{dimension[0]}{number}"


def indexed(said: Sequence[str], numbers: Mapping[str, int]) -> str:
    """What the index of words gets of an alert."""
    found = dict.fromkeys(word for one in said for word in words_of(one))
    return " ".join([*found, *(token(name, number) for name, number in numbers.items())])


def matching(wanted: Sequence[Sequence[str]], narrowed: Mapping[str, Sequence[int]], *, sqlite: bool) -> Select[int]:
    """Numbers of the alerts that have words beginning with one of each of `wanted`, of these cameras, zones ...,
    unordered."""
    groups = [[token(name, number) for number in numbers] for name, numbers in narrowed.items()]
    if sqlite:
        parts = ["(" + " OR ".join(f'"{word}"*' for word in some) + ")" for some in wanted]
        parts += ["(" + " OR ".join(group) + ")" for group in groups]
        found: Select[int] = select(column("rowid", Integer)).select_from(table("alerts_words"))
        return found.where(text("alerts_words MATCH :words").bindparams(bindparam("words", " AND ".join(parts))))
    parts = ["(" + " | ".join(f"{word}:*" for word in some) + ")" for some in wanted]
    parts += ["(" + " | ".join(group) + ")" for group in groups]
    matches = text("alerts.search @@ to_tsquery('simple', :words)").bindparams(bindparam("words", " & ".join(parts)))
    return select(alerts.c.number).where(matches)
