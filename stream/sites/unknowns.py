"""People whom nobody enrolled, known again over visits and cameras by a pseudonym that stays the same.

Incremental clustering: a track joins the person whom it resembles more than a stranger would in `wanted_rate` of all
cases, else it begins a new one. What is kept is bounded: people (the least seen ones go first), and visits of each.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from stream.identity import Calibration, FusedState, fuse
from stream.identity.gallery import Vector

NAMESPACE = uuid.UUID("6f1d7b0a-3f0e-5a52-9d0c-5c1f6e0f7a11")
VECTOR = np.dtype("<f2")
"""Half the bytes of float32; the cosine of a vector with its rounded self is above .999999."""


@dataclass(frozen=True)
class UnknownsConfig:
    """How sure a pseudonym is, and what is kept."""

    wanted_rate: float = 0.01  # strangers who are taken for somebody who was here before
    min_strength: float = 0.5  # a track that shows less of a face gets no pseudonym
    visit_gap_s: float = 300.0  # a person who is seen again after so long has come again
    keep_days: float = 30.0
    max_people: int = 2000  # 8 visits of 128 numbers each are 5 MB
    max_visits: int = 8


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One track of a person: which, when and where last seen, its fused vector (float16[D]) and how good that is."""

    track: str
    camera: str
    at_ms: int
    vector: bytes
    strength: float


class UnknownPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody by pseudonym. `came` counts visits, of which the best are kept; `centre` is all those as one vector."""

    id: str
    first_at_ms: int
    last_at_ms: int
    came: int
    visits: tuple[Visit, ...]
    centre: bytes


class UnknownsState(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who is remembered, in the order in which they first came."""

    v: int = 1
    people: tuple[UnknownPerson, ...] = ()


class Sighting(NamedTuple):
    """What one camera knows of a track by now: its name at the site, and the fused unit vector float32[D]."""

    track: str
    camera: str
    at_ms: int
    vector: Vector
    strength: float


class Seen(NamedTuple):
    """Whom a sighting is of, whether they are new, whether they came again with it, and how often they came."""

    person: UnknownPerson
    new: bool
    came_again: bool


class Unknowns:
    """Gives pseudonyms: each method is a pure function of its arguments."""

    def __init__(self, calibration: Calibration, config: UnknownsConfig | None = None) -> None:
        self._calibration = calibration
        self._config = config or UnknownsConfig()

    def step(self, state: UnknownsState, sighting: Sighting) -> tuple[UnknownsState, Seen | None]:
        """Take in a sighting; None for one that shows too little to be known again by."""
        if sighting.strength < self._config.min_strength:
            return state, None
        state = self._forget(state, sighting.at_ms)
        place = self._followed(state, sighting)
        if place is None:
            place = self._resembled(state, sighting)
        if place is None:
            return self._begin(state, sighting)
        before = state.people[place]
        after = self._join(before, sighting)
        people = (*state.people[:place], after, *state.people[place + 1 :])
        return UnknownsState(people=people), Seen(after, new=False, came_again=after.came > before.came)

    def merge(self, state: UnknownsState, keep: str, other: str) -> UnknownsState:
        """An operator says that these two are one person; raises KeyError for a pseudonym that is not known."""
        kept, gone = _by_id(state, keep), _by_id(state, other)
        if keep == other:
            return state
        first_at_ms, last_at_ms = min(kept.first_at_ms, gone.first_at_ms), max(kept.last_at_ms, gone.last_at_ms)
        visits = self._best((*kept.visits, *gone.visits))
        one = _person(kept.id, first_at_ms, last_at_ms, kept.came + gone.came, visits)
        return UnknownsState(
            people=tuple(one if person is kept else person for person in state.people if person is not gone)
        )

    def split(self, state: UnknownsState, person_id: str, tracks: Sequence[str]) -> tuple[UnknownsState, UnknownPerson]:
        """An operator says that these tracks are somebody else's; raises KeyError where none or all of them are."""
        person = _by_id(state, person_id)
        moved = tuple(visit for visit in person.visits if visit.track in tracks)
        left = tuple(visit for visit in person.visits if visit.track not in tracks)
        if not moved or not left:
            raise KeyError(f"{person_id}: {len(moved)} of {len(person.visits)} visits can't be split off")
        other = _person(_pseudonym(moved[0].track, moved[0].at_ms), moved[0].at_ms, moved[-1].at_ms, len(moved), moved)
        rest = _person(person.id, left[0].at_ms, left[-1].at_ms, max(1, person.came - len(moved)), left)
        people = tuple(rest if known is person else known for known in state.people)
        return UnknownsState(people=(*people, other)), other

    def _followed(self, state: UnknownsState, sighting: Sighting) -> int | None:
        """Who has this very track already: it doesn't change hands while it goes on."""
        for place, person in enumerate(state.people):
            if any(visit.track == sighting.track for visit in person.visits):
                return place
        return None

    def _resembled(self, state: UnknownsState, sighting: Sighting) -> int | None:
        if not state.people:
            return None
        centres = np.frombuffer(b"".join(person.centre for person in state.people), VECTOR)
        scores = centres.reshape(len(state.people), -1).astype(np.float32) @ sighting.vector
        place = int(scores.argmax())
        wanted = self._calibration.threshold(sighting.strength, self._config.wanted_rate, len(state.people))
        return place if scores[place] >= wanted else None

    def _begin(self, state: UnknownsState, sighting: Sighting) -> tuple[UnknownsState, Seen]:
        pseudonym = _pseudonym(sighting.track, sighting.at_ms)
        person = _person(pseudonym, sighting.at_ms, sighting.at_ms, 1, (_visit(sighting),))
        people = state.people
        if len(people) >= self._config.max_people:
            least = min(people, key=lambda known: (known.came, known.last_at_ms))
            people = tuple(known for known in people if known is not least)
        return UnknownsState(people=(*people, person)), Seen(person, new=True, came_again=False)

    def _join(self, person: UnknownPerson, sighting: Sighting) -> UnknownPerson:
        others = tuple(visit for visit in person.visits if visit.track != sighting.track)
        away_ms = sighting.at_ms - person.last_at_ms
        came = person.came + (away_ms > self._config.visit_gap_s * 1000)
        last_at_ms = max(person.last_at_ms, sighting.at_ms)
        return _person(person.id, person.first_at_ms, last_at_ms, came, self._best((*others, _visit(sighting))))

    def _best(self, visits: Sequence[Visit]) -> tuple[Visit, ...]:
        """The visits to be kept, in the order of time: the newest, and the strongest of the others."""
        newest, *others = sorted(visits, key=lambda visit: (-visit.at_ms, visit.track))
        others.sort(key=lambda visit: (-visit.strength, visit.track))
        kept = [newest, *others[: self._config.max_visits - 1]]
        return tuple(sorted(kept, key=lambda visit: (visit.at_ms, visit.track)))

    def _forget(self, state: UnknownsState, now_ms: int) -> UnknownsState:
        oldest_ms = now_ms - self._config.keep_days * 86_400_000
        if all(person.last_at_ms >= oldest_ms for person in state.people):
            return state
        return UnknownsState(people=tuple(person for person in state.people if person.last_at_ms >= oldest_ms))


def _pseudonym(track: str, at_ms: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{track}/{at_ms}"))


def _visit(sighting: Sighting) -> Visit:
    return Visit(
        track=sighting.track,
        camera=sighting.camera,
        at_ms=sighting.at_ms,
        vector=sighting.vector.astype(VECTOR).tobytes(),
        strength=sighting.strength,
    )


def _person(person_id: str, first_at_ms: int, last_at_ms: int, came: int, visits: tuple[Visit, ...]) -> UnknownPerson:
    """A visit is one look, however long it was: what its pictures have in common doesn't average out."""
    fused = FusedState()
    for visit in visits:
        fused = fuse(fused, np.frombuffer(visit.vector, VECTOR).astype(np.float32), visit.strength)
    return UnknownPerson(
        id=person_id,
        first_at_ms=first_at_ms,
        last_at_ms=last_at_ms,
        came=came,
        visits=visits,
        centre=fused.vector.astype(VECTOR).tobytes(),
    )


def _by_id(state: UnknownsState, person_id: str) -> UnknownPerson:
    for person in state.people:
        if person.id == person_id:
            return person
    raise KeyError(f"no unknown person {person_id}")
