"""People whom nobody enrolled, known again over visits and cameras by a pseudonym that stays the same.

Incremental clustering: a track joins the person whom it resembles more than a stranger would in `wanted_rate` of all
cases, else it begins a new one; one that began somebody new and, seen better, resembles somebody else is theirs after
all. Two who are on one camera at the same time are two, however alike they look. What is kept is bounded: people (the
least seen ones go first), visits of each, and when each came. How long is for the keys of the days to say (`without`):
the time of a sighting, which may be a wrong clock's, forgets nobody.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from contracts.fields import Xyxy
from contracts.messages import FrameRef
from stream.identity import Calibration, Cohort, FusedState, fuse
from stream.identity.cohort import NOBODY
from stream.identity.gallery import Vector

NAMESPACE = uuid.UUID("6f1d7b0a-3f0e-5a52-9d0c-5c1f6e0f7a11")
VECTOR = np.dtype("<f2")
"""Half the bytes of float32; the cosine of a vector with its rounded self is above .999999."""

DAY_MS = 86_400_000
TOGETHER_MS = 1000
"""Tracks of one camera that go on beside each other for longer are two people: for a moment one may have two boxes."""
NEAREST = 8
"""People nearest by cosine who are looked at more closely: what the cohort takes off is less than .1."""
MAX_COMINGS = 100
"""A rule can count so many within its days (contracts/config/rules.py)."""


@dataclass(frozen=True)
class UnknownsConfig:
    """How sure a pseudonym is, and what is kept."""

    wanted_rate: float = 0.01  # strangers who are taken for somebody who was here before
    min_strength: float = 0.5  # a track that shows less of a face gets no pseudonym
    visit_gap_s: float = 300.0  # a person who is seen again after so long has come again
    max_people: int = 2000  # 8 visits of 128 numbers each are 5 MB
    max_visits: int = 8


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One track of a person: which, when and where last seen, its fused vector (float16[D]) and how good that is.

    `sealed` is the same vector as it came, under the key of its day; `ref` and `face` are of the best look.
    `first_at_ms` is 0 where that is not known, or where an operator has said whose track it is.
    """

    track: str
    camera: str
    at_ms: int
    vector: bytes
    sealed: bytes
    strength: float
    ref: FrameRef
    face: Xyxy
    first_at_ms: int = 0


class Coming(msgspec.Struct, frozen=True):
    """A person came, at that time, and was seen by these cameras before they went."""

    at_ms: int
    cameras: tuple[str, ...]


class UnknownPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody by pseudonym. `came` counts how often they came, of which the last are kept as `comings`.

    Of their visits the best are kept; `centre` is all those as one vector. One whom an operator has split off is
    `apart`: their track joins nobody else by itself.
    """

    id: str
    first_at_ms: int
    last_at_ms: int
    came: int
    comings: tuple[Coming, ...]
    visits: tuple[Visit, ...]
    centre: bytes
    apart: bool = False

    def follows(self, track: str) -> bool:
        """Whether this track is one of theirs."""
        return any(visit.track == track for visit in self.visits)

    def came_since(self, since_ms: int, cameras: Sequence[str]) -> int:
        """How often they came from then on, to any of these cameras (none: to any at all)."""
        return sum(
            coming.at_ms >= since_ms and (not cameras or not set(cameras).isdisjoint(coming.cameras))
            for coming in self.comings
        )


class UnknownsState(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who is remembered, in the order in which they first came."""

    v: int = 1
    people: tuple[UnknownPerson, ...] = ()


class Sighting(NamedTuple):
    """What one camera knows of a track by now: its name at the site, and the fused unit vector float32[D].

    `sealed` is that vector under its day's key; `ref` and `face` are of the best look.
    """

    track: str
    camera: str
    at_ms: int
    vector: Vector
    sealed: bytes
    strength: float
    ref: FrameRef
    face: Xyxy
    first_at_ms: int = 0


class Seen(NamedTuple):
    """Whom a sighting is of, whether they are new, and whether they came again with it."""

    person: UnknownPerson
    new: bool
    came_again: bool


class Unknowns:
    """Gives pseudonyms: each method is a pure function of its arguments."""

    def __init__(self, calibration: Calibration, config: UnknownsConfig | None = None, cohort: Cohort = NOBODY) -> None:
        self._calibration = calibration
        self._cohort = cohort
        self._config = config or UnknownsConfig()
        self._gap_ms = self._config.visit_gap_s * 1000

    def step(self, state: UnknownsState, sighting: Sighting) -> tuple[UnknownsState, Seen | None]:
        """Take in a sighting; None for one that shows too little to be known again by."""
        if sighting.strength < self._config.min_strength:
            return state, None
        state = _parted(state, sighting)
        place = self._followed(state, sighting)
        if place is not None and (other := self._elsewhere(state, place, sighting)) is not None:
            state = UnknownsState(people=tuple(one for one in state.people if one is not state.people[place]))
            place = other if other < place else other - 1
        elif place is None:
            place = self._resembled(state, sighting)
        if place is None:
            return self._begin(state, sighting)
        before = state.people[place]
        after = self._join(before, sighting)
        people = (*state.people[:place], after, *state.people[place + 1 :])
        return UnknownsState(people=people), Seen(after, new=False, came_again=after.came > before.came)

    def without(self, state: UnknownsState, unwanted: Callable[[Visit], bool]) -> UnknownsState:
        """The state without some visits; who has none left is forgotten."""
        people = []
        for person in state.people:
            left = tuple(visit for visit in person.visits if not unwanted(visit))
            if left:
                people.append(person if len(left) == len(person.visits) else _with(person, left))
        return _state(people)

    def merge(self, state: UnknownsState, keep: str, other: str) -> UnknownsState:
        """An operator says that these two are one person; raises KeyError for a pseudonym that is not known."""
        kept, gone = _by_id(state, keep), _by_id(state, other)
        if keep == other:
            return state
        comings = self._merged((*kept.comings, *gone.comings))
        one = replace(
            kept,
            first_at_ms=min(kept.first_at_ms, gone.first_at_ms),
            last_at_ms=max(kept.last_at_ms, gone.last_at_ms),
            came=kept.came + gone.came - (len(kept.comings) + len(gone.comings) - len(comings)),
            comings=comings[-MAX_COMINGS:],
        )
        visits = (replace(visit, first_at_ms=0) for visit in (*kept.visits, *gone.visits))
        one = _with(one, self._best(tuple(visits)))
        return _state(one if person is kept else person for person in state.people if person is not gone)

    def split(self, state: UnknownsState, person_id: str, tracks: Sequence[str]) -> tuple[UnknownsState, UnknownPerson]:
        """An operator says that these tracks are somebody else's; raises KeyError where none or all of them are."""
        person = _by_id(state, person_id)
        moved = tuple(visit for visit in person.visits if visit.track in tracks)
        left = tuple(visit for visit in person.visits if visit.track not in tracks)
        if not moved or not left:
            raise KeyError(f"{person_id}: {len(moved)} of {len(person.visits)} visits can't be split off")
        comings = [_of(coming, person.comings, moved, left) for coming in person.comings]
        theirs = tuple(coming for coming, (mine, _) in zip(person.comings, comings, strict=True) if mine)
        rest = tuple(coming for coming, (_, stay) in zip(person.comings, comings, strict=True) if stay)
        other = _with(
            UnknownPerson(
                id=_pseudonym(f"{person_id}/{moved[0].track}", moved[0].at_ms),  # never the one that began with it
                first_at_ms=moved[0].at_ms,
                last_at_ms=moved[-1].at_ms,
                came=max(1, len(theirs)),
                comings=theirs or (Coming(moved[0].at_ms, (moved[0].camera,)),),
                visits=(),
                centre=b"",
                apart=True,
            ),
            moved,
        )
        gone = len(person.comings) - len(rest)
        left_over = replace(
            person, first_at_ms=left[0].at_ms, last_at_ms=left[-1].at_ms, came=max(1, person.came - gone), comings=rest
        )
        people = tuple(_with(left_over, left) if known is person else known for known in state.people)
        return UnknownsState(people=(*people, other)), other

    def forget(self, state: UnknownsState, person_id: str) -> UnknownsState:
        """An operator says so, or the person was enrolled; raises KeyError for a pseudonym that is not known."""
        gone = _by_id(state, person_id)
        return _state(person for person in state.people if person is not gone)

    def _followed(self, state: UnknownsState, sighting: Sighting) -> int | None:
        """Who has this very track already: it doesn't change hands while it goes on."""
        return next((place for place, person in enumerate(state.people) if person.follows(sighting.track)), None)

    def _elsewhere(self, state: UnknownsState, place: int, sighting: Sighting) -> int | None:
        """Who a track that began somebody new turns out to be, now that it was seen better."""
        person = state.people[place]
        if person.apart or len(person.visits) > 1 or sighting.strength <= person.visits[0].strength:
            return None
        return self._resembled(state, sighting, but=place)

    def _resembled(self, state: UnknownsState, sighting: Sighting, but: int | None = None) -> int | None:
        if len(state.people) <= (but is not None):
            return None
        centres = np.frombuffer(b"".join(person.centre for person in state.people), VECTOR)
        vectors = centres.reshape(len(state.people), -1).astype(np.float32)
        cosines = vectors @ sighting.vector
        for other, person in enumerate(state.people):
            if other == but or any(_together(visit, sighting) for visit in person.visits):
                cosines[other] = -1.0
        # Only those who may be it are held against the cohort as well: all of them would take 30 ms.
        nearest = np.argsort(-cosines, kind="stable")[:NEAREST]
        nearest = nearest[cosines[nearest] > -1.0]
        if not len(nearest):
            return None
        scores = self._cohort.likeness(vectors[nearest], sighting.vector[None])[:, 0]
        wanted = self._calibration.threshold(sighting.strength, self._config.wanted_rate, len(state.people))
        return int(nearest[scores.argmax()]) if scores.max() >= wanted else None

    def _begin(self, state: UnknownsState, sighting: Sighting) -> tuple[UnknownsState, Seen]:
        person = UnknownPerson(
            id=_pseudonym(sighting.track, sighting.at_ms),
            first_at_ms=sighting.at_ms,
            last_at_ms=sighting.at_ms,
            came=1,
            comings=(Coming(sighting.at_ms, (sighting.camera,)),),
            visits=(),
            centre=b"",
        )
        person = _with(person, (_visit(sighting),))
        people = state.people
        if len(people) >= self._config.max_people:
            least = min(people, key=lambda known: (known.came, known.last_at_ms))
            people = tuple(known for known in people if known is not least)
        return UnknownsState(people=(*people, person)), Seen(person, new=True, came_again=False)

    def _join(self, person: UnknownPerson, sighting: Sighting) -> UnknownPerson:
        others = tuple(visit for visit in person.visits if visit.track != sighting.track)
        again = sighting.at_ms - person.last_at_ms > self._gap_ms
        *before, last = person.comings
        if again:
            comings = (*person.comings, Coming(sighting.at_ms, (sighting.camera,)))[-MAX_COMINGS:]
        elif sighting.camera in last.cameras:
            comings = person.comings
        else:
            comings = (*before, Coming(last.at_ms, (*last.cameras, sighting.camera)))
        came = replace(
            person,
            last_at_ms=max(person.last_at_ms, sighting.at_ms),
            came=person.came + again,
            comings=comings,
        )
        visit = _visit(sighting)
        if any(known.track == visit.track and not known.first_at_ms for known in person.visits):
            visit = replace(visit, first_at_ms=0)
        return _with(came, self._best((*others, visit)))

    def _merged(self, comings: Sequence[Coming]) -> tuple[Coming, ...]:
        """Two people's comings as one person's: what is nearer than the gap is one."""
        merged: list[Coming] = []
        for coming in sorted(comings, key=lambda one: (one.at_ms, one.cameras)):
            if merged and coming.at_ms - merged[-1].at_ms <= self._gap_ms:
                cameras = dict.fromkeys((*merged[-1].cameras, *coming.cameras))
                merged[-1] = Coming(merged[-1].at_ms, tuple(cameras))
            else:
                merged.append(coming)
        return tuple(merged)

    def _best(self, visits: Sequence[Visit]) -> tuple[Visit, ...]:
        """The visits to be kept, in the order of time: the newest, and the strongest of the others."""
        newest, *others = sorted(visits, key=lambda visit: (-visit.at_ms, visit.track))
        others.sort(key=lambda visit: (-visit.strength, visit.track))
        kept = [newest, *others[: self._config.max_visits - 1]]
        return tuple(sorted(kept, key=lambda visit: (visit.at_ms, visit.track)))


def _pseudonym(track: str, at_ms: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{track}/{at_ms}"))


def _visit(sighting: Sighting) -> Visit:
    return Visit(
        track=sighting.track,
        camera=sighting.camera,
        at_ms=sighting.at_ms,
        vector=sighting.vector.astype(VECTOR).tobytes(),
        sealed=sighting.sealed,
        strength=sighting.strength,
        ref=sighting.ref,
        face=sighting.face,
        first_at_ms=sighting.first_at_ms,
    )


def _together(visit: Visit, sighting: Sighting) -> bool:
    """Whether another track of the same camera was there for a while at the same time."""
    if visit.track == sighting.track or visit.camera != sighting.camera:
        return False
    if not visit.first_at_ms or not sighting.first_at_ms:
        return False
    common_ms = min(visit.at_ms, sighting.at_ms) - max(visit.first_at_ms, sighting.first_at_ms)
    return common_ms > TOGETHER_MS


def _parted(state: UnknownsState, sighting: Sighting) -> UnknownsState:
    """The state without this track where its person is seen beside it by now: it is somebody else."""
    for place, person in enumerate(state.people):
        own = next((visit for visit in person.visits if visit.track == sighting.track), None)
        if own is None or not own.first_at_ms or not any(_together(visit, sighting) for visit in person.visits):
            continue
        left = _with(person, tuple(visit for visit in person.visits if visit is not own))
        return UnknownsState(people=(*state.people[:place], left, *state.people[place + 1 :]))
    return state


def closed(person: UnknownPerson) -> UnknownPerson:
    """The person as they may be written down: what shows a face is there only sealed."""
    return replace(person, centre=b"", visits=tuple(replace(visit, vector=b"") for visit in person.visits))


def reopened(person: UnknownPerson, opened: Callable[[bytes], bytes | None]) -> UnknownPerson | None:
    """The person again, without the visits that can't be opened; None where that is all of them."""
    vectors = [(visit, opened(visit.sealed)) for visit in person.visits]
    visits = tuple(replace(visit, vector=vector) for visit, vector in vectors if vector)
    return _with(person, visits) if visits else None


def _with(person: UnknownPerson, visits: tuple[Visit, ...]) -> UnknownPerson:
    """The person with these visits. A visit is one look, however long: what its pictures share doesn't average out."""
    fused = FusedState()
    for visit in visits:
        fused = fuse(fused, np.frombuffer(visit.vector, VECTOR).astype(np.float32), visit.strength)
    return replace(person, visits=visits, centre=fused.vector.astype(VECTOR).tobytes())


def _of(coming: Coming, comings: Sequence[Coming], moved: Sequence[Visit], left: Sequence[Visit]) -> tuple[bool, bool]:
    """Whether a coming is that of the visits that are split off, and of those that are left: theirs if of neither."""
    later = [one.at_ms for one in comings if one.at_ms > coming.at_ms]
    end_ms = min(later, default=2**62)
    mine = any(coming.at_ms <= visit.at_ms < end_ms for visit in moved)
    theirs = any(coming.at_ms <= visit.at_ms < end_ms for visit in left)
    return mine, theirs or not mine


def _state(people: Iterable[UnknownPerson]) -> UnknownsState:
    return UnknownsState(people=tuple(people))


def _by_id(state: UnknownsState, person_id: str) -> UnknownPerson:
    for person in state.people:
        if person.id == person_id:
            return person
    raise KeyError(f"no unknown person {person_id}")
