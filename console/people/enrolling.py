"""Enrolment as pages and API do it: a source is looked at, refused with the reason, or enrolled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from archive.people import Candidate, Examined, Refusal, SeenFace
from console.people.errors import RefusedPictureError
from console.people.register import Group, Name, Register
from console.people.sources import FromUnknown, Source, Sources, source_name
from console.people.unknowns import Unknowns
from console.people.views import PersonDetail
from console.rights import Who


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture shows: its faces, which one is meant, how good that is (0-1), and why it can't be enrolled."""

    faces: tuple[SeenFace, ...]
    chosen: int | None
    strength: float
    refusal: Refusal | None


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be enrolled. `sure` is an operator's word that they are nobody else, however alike they look."""

    name: Name
    group: Group = ""
    source: Source
    sure: bool = False


class NewPicture(msgspec.Struct, frozen=True, kw_only=True):
    """One more picture of somebody."""

    source: Source
    sure: bool = False


class ToExamine(msgspec.Struct, frozen=True, kw_only=True):
    """A face that may be enrolled, as somebody new or as a further picture of `person_id`."""

    source: Source
    person_id: Annotated[str, Meta(max_length=200)] = ""


class Enrolling:
    """The way from a source to the register."""

    def __init__(self, register: Register, sources: Sources, unknowns: Unknowns, clock_ms: Callable[[], int]) -> None:
        self._register = register
        self._sources = sources
        self._unknowns = unknowns
        self._clock_ms = clock_ms

    def examine(self, who: Who, given: ToExamine) -> Examination:
        """Look at a source as the enrolment would; nothing is kept. Raises what `Sources.examine` does.

        Whom it is like is an answer to who this is: so that is in the audit.
        """
        self._register.need_all("enrol", who)
        found = self._sources.examine(who, given.source, self._clock_ms())
        refusal = found.refusal
        if refusal is None and found.candidate is not None:
            refusal = self._register.refusal(found.candidate, person_id=given.person_id)
            self._register.compared(who, source_name(given.source), refusal)
        strength = found.candidate.strength if found.candidate else 0.0
        return Examination(faces=found.faces, chosen=found.chosen, strength=strength, refusal=refusal)

    def enrol(self, who: Who, given: NewPerson) -> PersonDetail:
        """Enrol somebody new; an unknown person's pseudonym is forgotten then. Raises RefusedPictureError ..."""
        self._register.need_all("enrol", who)
        if isinstance(given.source, FromUnknown):
            return self._unknowns.enrol(who, given.source.pseudonym, given.name, given.group, sure=given.sure)
        candidate = _usable(self._sources.examine(who, given.source, self._clock_ms()))
        source = source_name(given.source)
        return self._register.enrol(who, given.name, given.group, candidate, source=source, sure=given.sure)

    def add(self, who: Who, person_id: str, given: NewPicture) -> PersonDetail:
        """One more picture of somebody; raises RefusedPictureError and others."""
        self._register.need_all("enrol", who)
        candidate = _usable(self._sources.examine(who, given.source, self._clock_ms()))
        source = source_name(given.source)
        return self._register.add_picture(who, person_id, candidate, source=source, sure=given.sure)


def _usable(found: Examined) -> Candidate:
    if found.refusal is not None:
        raise RefusedPictureError(found.refusal)
    assert found.candidate is not None
    return found.candidate
