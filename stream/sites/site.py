"""What the site job does with one message, without the engine: who an unknown person is, and which alerts follow."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.errors import ContractError
from contracts.messages import Alert
from contracts.people import ForgetUnknown, MergeUnknowns, PeopleCommand, Sighting, SplitUnknown
from stream.identity.gallery import Vector
from stream.sites.returning import Returning, ReturningState, RulesOf
from stream.sites.unknowns import DAY_MS, UnknownPerson, Unknowns, UnknownsState
from stream.sites.unknowns import Sighting as Look

MAX_COMMANDS = 1000
UNSURE_STRENGTH = 0.8
"""A track of which it can't be told whether it is somebody enrolled takes part only when it shows so much of a face:
then it lies between two people of the gallery, or at the edge of one, and better looks would not decide it."""


class SiteState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a site. `commands` are the ids of the last operators' words; `clock_ms` is the cameras'."""

    v: int = 1
    people: UnknownsState = UnknownsState()
    returning: ReturningState = ReturningState()
    commands: tuple[str, ...] = ()
    clock_ms: int = 0


class Gone(NamedTuple):
    """A pseudonym that is no more; `merged_into` says whose it is now, "" for one that was forgotten."""

    person: UnknownPerson
    merged_into: str = ""


class Told(NamedTuple):
    """What one message leads to."""

    changed: tuple[UnknownPerson, ...] = ()
    gone: tuple[Gone, ...] = ()
    alerts: tuple[Alert, ...] = ()


class Site:
    """The decisions of one site; each method is a pure function of its arguments."""

    def __init__(self, unknowns: Unknowns, returning: Returning) -> None:
        self._unknowns = unknowns
        self._returning = returning

    def sighting(
        self, state: SiteState, sighting: Sighting, vector: Vector, rules_of: RulesOf
    ) -> tuple[SiteState, Told]:
        """Take in what a camera knows of a track by now; `vector` is what the sighting seals, opened.

        Somebody who is identified is no unknown person, nor is one of whom too little was seen to say.
        """
        if sighting.lane == "live":
            state = replace(state, clock_ms=max(state.clock_ms, sighting.at_ms))
        returning, over = self._returning.passed(state.returning, state.clock_ms, rules_of)
        state, told = self._looked(replace(state, returning=returning), sighting, vector, rules_of)
        return state, told._replace(alerts=over + told.alerts)

    def _looked(
        self, state: SiteState, sighting: Sighting, vector: Vector, rules_of: RulesOf
    ) -> tuple[SiteState, Told]:
        if sighting.decision == "identified":
            people = self._unknowns.without(state.people, lambda visit: visit.track == sighting.track)
            return self._told(state, people)
        if sighting.decision == "unsure" and sighting.strength < UNSURE_STRENGTH:
            return state, Told()
        look = Look(
            sighting.track,
            sighting.camera,
            sighting.at_ms,
            vector,
            sighting.sealed,
            sighting.strength,
            sighting.ref,
            sighting.face,
            sighting.first_at_ms,
        )
        people, seen = self._unknowns.step(state.people, look)
        follower = next((one.id for one in state.people.people if one.follows(sighting.track)), "")
        into = {follower: seen.person.id} if seen is not None else {}
        after, told = self._told(state, people, into)
        if seen is None:
            return after, told
        returning, alerts = self._returning.seen(after.returning, seen.person, sighting, rules_of(sighting.camera))
        return replace(after, returning=returning), told._replace(alerts=told.alerts + alerts)

    def command(self, state: SiteState, command: PeopleCommand) -> tuple[SiteState, Told]:
        """An operator's word; raises ContractError for one that can't be meant. A repeated one changes nothing."""
        if command.id in state.commands:
            return state, Told()
        into: dict[str, str] = {}
        try:
            match command.command:
                case MergeUnknowns(keep=keep, other=other):
                    people = self._unknowns.merge(state.people, keep, other)
                    into = {other: keep}
                case SplitUnknown(pseudonym=pseudonym, tracks=tracks):
                    people, _ = self._unknowns.split(state.people, pseudonym, tracks)
                case ForgetUnknown(pseudonym=pseudonym):
                    people = self._unknowns.forget(state.people, pseudonym)
        except KeyError as error:
            raise ContractError(str(error.args[0])) from error
        state = replace(state, commands=(*state.commands, command.id)[-MAX_COMMANDS:])
        return self._told(state, people, into)

    def keys_gone(self, state: SiteState, days: frozenset[int]) -> tuple[SiteState, Told]:
        """Only these days have keys: what was seen on others is not remembered any more."""
        people = self._unknowns.without(state.people, lambda visit: visit.at_ms // DAY_MS not in days)
        return self._told(state, people)

    def passed(self, state: SiteState, at_ms: int, rules_of: RulesOf) -> tuple[SiteState, Told]:
        """It is `at_ms` for the cameras: alerts that are over end."""
        returning, alerts = self._returning.passed(state.returning, at_ms, rules_of)
        return replace(state, returning=returning), Told(alerts=alerts)

    def _told(
        self, state: SiteState, people: UnknownsState, into: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[SiteState, Told]:
        """The state with these people, and what that changes; `into` has whose a pseudonym that is no more is now."""
        before = {person.id: person for person in state.people.people}
        after = {person.id for person in people.people}
        changed = tuple(person for person in people.people if before.get(person.id) is not person)
        gone = tuple(Gone(person, into.get(name, "")) for name, person in before.items() if name not in after)
        returning = state.returning
        alerts: list[Alert] = []
        for one in gone:
            reason = "merged with another person" if one.merged_into else "forgotten"
            returning, ended = self._returning.gone(returning, one.person.id, state.clock_ms, reason)
            alerts += ended
        return replace(state, people=people, returning=returning), Told(changed, gone, tuple(alerts))
