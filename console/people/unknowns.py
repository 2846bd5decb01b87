"""Unknown people: who they are by now, and what an operator says of them, which the site's job then does."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from console.people.errors import NobodyError
from console.people.feed import UnknownPeople
from console.people.register import Register
from console.people.sources import FromUnknown, Sources, source_name
from console.people.views import PersonDetail
from console.rights import ForbiddenError, Who
from console.store.audit import AuditAction
from console.store.store import Store
from contracts import topics
from contracts.codec import encode
from contracts.people import ForgetUnknown, MergeUnknowns, PeopleCommand, SplitUnknown

Command = MergeUnknowns | SplitUnknown | ForgetUnknown


_ACTIONS: dict[type[Command], AuditAction] = {
    MergeUnknowns: "merge unknown",
    SplitUnknown: "split unknown",
    ForgetUnknown: "forget unknown",
}


class VisitView(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of an unknown person at one camera."""

    track: str
    camera: str
    at_ms: int
    strength: float


class UnknownView(msgspec.Struct, frozen=True, kw_only=True):
    """An unknown person by pseudonym: how often they came, and the visits that are kept."""

    pseudonym: str
    first_at_ms: int
    last_at_ms: int
    came: int
    visits: tuple[VisitView, ...]


class Unknowns:
    """What operators see of unknown people and do with them."""

    def __init__(
        self,
        store: Store,
        known: UnknownPeople,
        register: Register,
        sources: Sources,
        site: str,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._known = known
        self._register = register
        self._sources = sources
        self._site = site
        self._clock_ms = clock_ms
        self._wake = wake

    def all(self, who: Who) -> list[UnknownView]:
        """Those whom the own cameras saw, the last seen first."""
        who.need("see_people")
        return [
            UnknownView(
                pseudonym=one.pseudonym,
                first_at_ms=one.first_at_ms,
                last_at_ms=one.last_at_ms,
                came=one.came,
                visits=tuple(
                    VisitView(track=visit.track, camera=visit.camera, at_ms=visit.at_ms, strength=visit.strength)
                    for visit in sorted(one.visits, key=lambda visit: -visit.at_ms)
                ),
            )
            for one in self._known.all(who)
        ]

    def face(self, who: Who, pseudonym: str, track: str = "") -> bytes:
        """A JPEG of their face; raises NobodyError where the frames are gone. Each look is in the audit."""
        who.need("see_people")
        found = self._sources.face_of(who, pseudonym, track)
        if found is None:
            raise NobodyError("the frames that show this person are gone: they are kept for an hour")
        self._store.audit.record(
            at_ms=self._clock_ms(), who=who.name, action="look", subject=f"unknown/{pseudonym}", details={}
        )
        return found

    def say(self, who: Who, command: Command) -> None:
        """Merge two, split one, or forget one; raises NobodyError, ForbiddenError."""
        self._need_all_visits(who)
        match command:
            case MergeUnknowns(keep=keep, other=other):
                if keep == other:
                    raise NobodyError("these are one already")
                pseudonyms = [keep, other]
            case SplitUnknown(pseudonym=pseudonym, tracks=tracks):
                known = {visit.track for visit in self._known.get(who, pseudonym).visits}
                if not tracks or not set(tracks) < known:
                    raise NobodyError("some of the visits have to be chosen, not all of them")
                pseudonyms = [pseudonym]
            case ForgetUnknown(pseudonym=pseudonym):
                pseudonyms = [pseudonym]
        for one in pseudonyms:
            self._known.get(who, one)
        with self._store.database.write() as connection:
            self._send(connection, who.name, command)
        self._wake()

    def enrol(self, who: Who, pseudonym: str, name: str, group: str, *, sure: bool = False) -> PersonDetail:
        """Give an unknown person a name: they are enrolled, and the pseudonym is forgotten, in one transaction."""
        given = FromUnknown(pseudonym)
        candidate = self._sources.examine(who, given, self._clock_ms()).candidate
        assert candidate is not None
        source = source_name(given)
        self._register.check(who, candidate, source=source, sure=sure)
        with self._store.database.write() as connection:
            detail = self._register.enrol_in(connection, who, name, group, candidate, source=source, sure=sure)
            self._send(connection, who.name, ForgetUnknown(pseudonym=pseudonym))
        self._wake()
        return detail

    def let_go(self, before_ms: int) -> int:
        """Have those forgotten whom nobody saw since `before_ms`, as `faces.retention` says; returns how many."""
        over = [one.pseudonym for one in self._known.everybody() if one.last_at_ms < before_ms]
        if over:
            with self._store.database.write() as connection:
                for pseudonym in over:
                    self._send(connection, "", ForgetUnknown(pseudonym=pseudonym))
            self._wake()
        return len(over)

    def _send(self, connection: Connection, who: str, command: Command) -> None:
        now_ms = self._clock_ms()
        message = PeopleCommand(id=str(uuid.uuid4()), site=self._site, at_ms=now_ms, by=who, command=command)
        self._store.answers.send(connection, topics.PEOPLE_COMMANDS, self._site, encode(message))
        self._store.audit.add(
            connection,
            at_ms=now_ms,
            who=who,
            action=_ACTIONS[type(command)],
            subject="people",
            details=msgspec.to_builtins(command),
        )

    def _need_all_visits(self, who: Who) -> None:
        who.need("enrol")
        if who.cameras is not None:
            raise ForbiddenError(f"{who.name} does not see all cameras: an unknown person may have been at any")
