"""Whom a message means: by id on the wire, as `person/<id>` in its sentences; by name only where it is shown.

So whoever is removed leaves ids that mean nothing, in whatever is kept of alerts and for however long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from contracts.identity import Identified
from contracts.messages import Alert, Condition, Event

REMOVED = "removed person"

NameOf = Callable[[str], str]
"""What somebody of an id is called; "" where nobody of it is enrolled (any more)."""

M = TypeVar("M", bound=Alert | Event)

_MENTION = re.compile(r"person/([\w-]+)")


def mention(person_id: str) -> str:
    """A person in a sentence of a message."""
    return f"person/{person_id}"


def mentioned(text: str) -> list[str]:
    """The ids of those whom a sentence is about."""
    return _MENTION.findall(text)


def spoken(text: str, name_of: NameOf) -> str:
    """A sentence with names for ids."""
    return _MENTION.sub(lambda found: name_of(found[1]) or REMOVED, text)


def named(message: M, name_of: NameOf) -> M:
    """A message as it is shown: with the names of those who are enrolled now. Runners-up who are not go."""
    said = message.identity
    if said is None:
        return message
    others = tuple(replace(one, name=name) for one in said.runners_up if (name := name_of(one.person_id)))
    name = (name_of(said.person_id) or REMOVED) if said.person_id else ""
    return _with(message, replace(said, name=name, runners_up=others), lambda text: spoken(text, name_of))


def nameless(message: M) -> M:
    """A message as it is kept: the version before had names in identity and sentences."""
    said = message.identity
    if said is None:
        return message
    ids = {one.name: one.person_id for one in said.runners_up} | {said.name: said.person_id}
    ids.pop("", None)
    if not ids:
        return message
    others = tuple(replace(one, name="") for one in said.runners_up)
    return _with(message, replace(said, name="", runners_up=others), lambda text: _by_id(text, ids))


def _with(message: M, said: Identified, rewritten: Callable[[str], str]) -> M:
    trace = tuple(Condition(one.name, rewritten(one.wanted), rewritten(one.got), one.met) for one in message.trace)
    after = replace(message, identity=said, trace=trace)
    return replace(after, why=rewritten(after.why)) if isinstance(after, Alert) else after


def _by_id(text: str, ids: Mapping[str, str]) -> str:
    for name in sorted(ids, key=len, reverse=True):
        text = text.replace(name, mention(ids[name]))
    return text
