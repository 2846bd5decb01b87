"""Enrolled people as the API and the pages show them."""

from __future__ import annotations

import msgspec


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is enrolled, as lists show them; `picture` is the first one's id, "" where none is shown.

    `until_ms` is when they are removed by themselves (0: never), as `faces.retention` says of their group.
    """

    id: str
    name: str
    group: str
    pictures: int
    denials: int
    picture: str
    created_at_ms: int
    created_by: str
    until_ms: int = 0


class PictureView(msgspec.Struct, frozen=True, kw_only=True):
    """One enrolled picture: how good it is (0-1), where it came from, by whom and when."""

    id: str
    strength: float
    source: str
    at_ms: int
    who: str
    usable: bool


class DenialView(msgspec.Struct, frozen=True, kw_only=True):
    """A look that an operator said is not this person."""

    id: str
    alert: str
    camera: str
    at_ms: int
    who: str


class PersonDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is enrolled, with pictures and denials."""

    person: PersonView
    pictures: tuple[PictureView, ...]
    denials: tuple[DenialView, ...]
