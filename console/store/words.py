"""Search by words: how text is cut into them, and how SQLite (FTS5) and PostgreSQL (tsvector) are asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Integer, Select, bindparam, column, or_, select, table, text

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


def person_token(person_id: str) -> str:
    """A word that stands for a person, whatever they are called: parts of an id would be found as names are."""
    return "xxp" + "".join(words_of(person_id))


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
    parts = [*_queried(wanted), *("(" + " | ".join(group) + ")" for group in groups)]
    return _found("search @@ to_tsquery('simple', :words)", parts)


def having(numbers: Sequence[int], wanted: Sequence[Sequence[str]], *, sqlite: bool) -> Select[int]:
    """Which of these alerts have words beginning with one of each of `wanted`."""
    if sqlite:
        said = (or_(*(one for word in some for one in _begins(word))) for some in wanted)
        return select(alerts.c.number).where(alerts.c.number.in_(numbers), *said)
    these = text("number = ANY(:numbers)").bindparams(bindparam("numbers", list(numbers), ARRAY(BigInteger)))
    # `IS TRUE` keeps the index of words out of it: it would list all that have them, to look for these among them.
    has = "(search @@ to_tsquery('simple', :words)) IS TRUE"
    return _found(has, _queried(wanted)).where(these)


def _begins(word: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return alerts.c.words.startswith(word), alerts.c.words.contains(f" {word}")


def _queried(wanted: Sequence[Sequence[str]]) -> list[str]:
    """Parts of a tsquery: one of each has to begin a word."""
    return ["(" + " | ".join(f"{word}:*" for word in some) + ")" for some in wanted]


def _found(condition: str, parts: Sequence[str]) -> Select[int]:
    """PostgreSQL: those that all of the parts of a tsquery are true of."""
    matches = text(condition).bindparams(bindparam("words", " & ".join(parts)))
    found: Select[int] = select(column("number", BigInteger)).select_from(table("alerts_words"))
    return found.where(matches)
