"""The enrolled people in one matrix; a change makes a new gallery.

Search is one product, and so exact. Of a large gallery an index says who may be meant; only they are compared, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.identity.cohort import NOBODY, Cohort, Vectors

if TYPE_CHECKING:
    from stream.identity.index import Index

Vector = NDArray[np.float32]
"""A unit vector float32[D]."""


ROUNDING = 1e-4
"""A look that was enrolled and then denied is as near to both, but for float16 and the order of sums."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is enrolled; `group` says how they are to be treated (employee, vip, banned ...)."""

    id: str
    name: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A person of the gallery and how alike the picture of theirs that is nearest is (see Cohort.likeness)."""

    person: Person
    score: float


@dataclass(frozen=True, slots=True)
class Denial:
    """An operator's word that a look is not this person: what looks like that no longer matches them."""

    person_id: str
    vector: Vector


class Entry(NamedTuple):
    """A person with unit vectors [K,D] of their pictures, and what the cohort says of each of them [K]."""

    person: Person
    vectors: Vectors
    excess: NDArray[np.float32]


class _Denied(NamedTuple):
    """All denied looks [N,D] in one matrix, and the place of whom each of them is not."""

    places: NDArray[np.int64]
    vectors: Vectors


@dataclass(frozen=True)
class Gallery:
    """People with their pictures' vectors, one person's rows together; `starts[p]` is the first row of person p.

    `alike` is the cosine that two good looks at one person have in the mean (1: unknown). 100,000 vectors of 128
    numbers are 51 MB and 12.8 million multiplications a search. `index` knows the pictures of all but those who are
    `fresh`: whoever came or changed since it was made. `excess` [M] is what `cohort` says of each picture.
    """

    people: tuple[Person, ...] = ()
    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    denials: tuple[Denial, ...] = ()
    alike: float = 1.0
    cohort: Cohort = NOBODY
    excess: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    index: Index | None = None
    fresh: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, enrolled: Mapping[Person, Vectors], denials: tuple[Denial, ...] = (), cohort: Cohort = NOBODY
    ) -> Gallery:
        """A gallery of these people, each with unit vectors [K,D], K >= 1; raises ValueError for anything else."""
        if not enrolled:
            return cls(denials=denials, cohort=cohort)
        for person, vectors in enrolled.items():
            if vectors.ndim != 2 or not len(vectors):
                raise ValueError(f"{person.id}: pictures of shape {vectors.shape} instead of [K,D]")
        entries = [Entry(person, vectors, cohort.excess(vectors)) for person, vectors in enrolled.items()]
        gallery = cls.joined(entries, denials, cohort=cohort)
        wrong = np.flatnonzero(abs(np.linalg.norm(gallery.vectors, axis=1) - 1) > 1e-3)
        if wrong.size:
            person = gallery.people[int(np.searchsorted(gallery.starts, wrong[0], "right")) - 1]
            raise ValueError(f"{person.id}: a picture's vector is not of length 1")
        return gallery

    @classmethod
    def joined(
        cls, entries: Sequence[Entry], denials: tuple[Denial, ...] = (), alike: float = 1.0, cohort: Cohort = NOBODY
    ) -> Gallery:
        """A gallery of entries that were looked at before, in this order."""
        if not entries:
            return cls(denials=denials, alike=alike, cohort=cohort)
        starts = np.concatenate(([0], np.cumsum([len(one.vectors) for one in entries])[:-1]))
        return cls(
            tuple(one.person for one in entries),
            np.concatenate([one.vectors for one in entries]).astype(np.float32, copy=False),
            starts,
            denials,
            alike,
            cohort,
            np.concatenate([one.excess for one in entries]),
        )

    def cosines(self, look: Vector) -> NDArray[np.float32]:
        """The cosine of each person's nearest picture [P]."""
        if not self.people:
            return np.zeros(0, np.float32)
        return np.asarray(np.maximum.reduceat(self.vectors @ look, self.starts), np.float32)

    def scores(self, look: Vector) -> NDArray[np.float32]:
        """How alike each person's nearest picture is [P] (see Cohort.likeness); -1 for those whom an operator said that
        this look is not."""
        if not self.people:
            return np.zeros(0, np.float32)
        cosines = self.vectors @ look
        least = self.cohort.excess(look[None])[0]
        scores = np.asarray(np.maximum.reduceat(cosines - self.excess, self.starts) - least, np.float32)
        denied = self._denied
        if len(denied.places):
            # Nearer to the look that was denied than to any picture of the person, or as like it as the looks of one
            # person are: the same somebody else again, also where the picture is of that very somebody.
            nearest = np.maximum.reduceat(cosines, self.starts)[denied.places]
            hit = denied.vectors @ look >= np.minimum(nearest - ROUNDING, self.alike)
            scores[denied.places[hit]] = -1.0
        return scores

    def indexed(self, index: Index | None, fresh: frozenset[str]) -> Gallery:
        """The same gallery with an index of how it was, but for those who are `fresh` since."""
        return replace(self, index=index, fresh=fresh)

    def nearest(self, look: Vector, count: int) -> tuple[Match, ...]:
        """The `count` best matches, best first; equal ones in the gallery's order."""
        if self.index is not None:
            return self._only(self.index.candidates(look) | self.fresh).nearest(look, count)
        scores = self.scores(look)
        count = min(count, len(scores))
        if not count:
            return ()
        # Everybody at least as good as the last one wanted, so that equal scores don't depend on the partition.
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= least)
        order = places[np.argsort(-scores[places], kind="stable")][:count]
        return tuple(Match(self.people[place], float(scores[place])) for place in order)

    def _only(self, ids: frozenset[str]) -> Gallery:
        """These people of it, in its order."""
        found = sorted(place for one in ids if (place := self._places.get(one)) is not None)
        if not found:
            return Gallery(alike=self.alike, cohort=self.cohort)
        places = np.array(found)
        counts = self._ends[places] - self.starts[places]
        starts = np.cumsum(counts) - counts
        rows = np.arange(counts.sum()) + np.repeat(self.starts[places] - starts, counts)
        denials = tuple(denial for one in self._denials_of.keys() & ids for denial in self._denials_of[one])
        people = tuple(self.people[place] for place in found)
        return Gallery(people, self.vectors[rows], starts, denials, self.alike, self.cohort, self.excess[rows])

    def called(self, person_id: str) -> str:
        """The person's name; "" where nobody of that id is enrolled."""
        place = self._places.get(person_id)
        return "" if place is None else self.people[place].name

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.append(self.starts[1:], len(self.vectors))

    @cached_property
    def _denied(self) -> _Denied:
        here = [one for one in self.denials if one.person_id in self._places]
        if not here:
            return _Denied(np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
        return _Denied(np.array([self._places[one.person_id] for one in here]), np.stack([one.vector for one in here]))

    @cached_property
    def _denials_of(self) -> Mapping[str, tuple[Denial, ...]]:
        found: dict[str, tuple[Denial, ...]] = {}
        for denial in self.denials:
            found[denial.person_id] = (*found.get(denial.person_id, ()), denial)
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {person.id: place for place, person in enumerate(self.people)}
