"""Search back in time: where somebody was seen before, from a picture, an alert or an unknown person's face."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from archive.people import FaceModels
from archive.sightings import Found, Query, Search
from archive.sightings.copies import Copies
from archive.sightings.search import FOREVER_MS
from console.people.errors import RefusedPictureError
from console.people.sources import Source, Sources, source_name
from console.rights import Who
from console.store.store import Store
from contracts.fields import IdentityDecision, Millis, Share

LEAST_SHARE = 0.01
"""Unless it is said otherwise only sightings are found that a stranger would resemble so much in 1 % of all cases."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Whose face, on which cameras (none: all that one may see), from when until when (0: until now).

    At most `most` tracks; `least` is the lowest cosine (null: where 1 % of strangers would look so much alike).
    """

    source: Source
    cameras: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    since_ms: Millis = 0
    until_ms: Millis = 0
    most: Annotated[int, Meta(ge=1, le=500)] = 50
    least: Annotated[float, Meta(ge=0, le=1)] | None = None


class SightingView(msgspec.Struct, frozen=True, kw_only=True):
    """One track of somebody who looks like that: how much, and the share of strangers who would look so much alike."""

    score: float
    strangers: float
    camera: str
    track: str
    first_at_ms: int
    at_ms: int
    decision: IdentityDecision
    person_id: str
    zones: tuple[str, ...]
    quality: Share


class Looking:
    """Searches, each of them in the audit, on the cameras that whoever asks may see."""

    def __init__(
        self,
        store: Store,
        sources: Sources,
        models: FaceModels,
        search: Search,
        copies: Copies | None,
        clock_ms: Callable[[], int],
    ) -> None:
        """`copies` brings the sightings that `search` looks into from where they are kept, None where that is here."""
        self._store = store
        self._sources = sources
        self._models = models
        self._search = search
        self._copies = copies
        self._fetching = threading.Lock()
        self._clock_ms = clock_ms

    def find(self, who: Who, sought: Sought) -> list[SightingView]:
        """The most alike first.

        Raises RefusedPictureError for a picture without one face that is meant, and what Sources.examine raises.
        """
        who.need("search_people")
        now_ms = self._clock_ms()
        examined = self._sources.examine(who, sought.source, now_ms)
        if examined.candidate is None:
            assert examined.refusal is not None
            raise RefusedPictureError(examined.refusal)
        calibration, strength = self._models.calibration, examined.candidate.strength
        least = sought.least if sought.least is not None else calibration.threshold(strength, LEAST_SHARE, 1)
        query = Query(
            vector=examined.candidate.vector,
            model=self._models.manifest.id,
            cameras=_seen(who, sought.cameras),
            since_ms=sought.since_ms,
            until_ms=sought.until_ms or FOREVER_MS,
            least=least,
            most=sought.most,
        )
        if self._copies is not None:
            with self._fetching:
                self._copies.fetch()
        sightings = self._search.find(query)
        vectors = np.array([one.vector for one in sightings], np.float32).reshape(-1, len(query.vector))
        alike = self._models.cohort.likeness(vectors, query.vector[None])[:, 0]
        found = [
            _view(one, calibration.strangers(strength, float(score), 1))
            for one, score in zip(sightings, alike, strict=True)
        ]
        self._record(who, sought, len(found), now_ms)
        return found

    def _record(self, who: Who, sought: Sought, found: int, now_ms: int) -> None:
        """A search stands in the audit: from what, where, of when, and how many were found."""
        details = {
            "source": source_name(sought.source),
            "cameras": list(sought.cameras),
            "since_ms": sought.since_ms,
            "until_ms": sought.until_ms,
            "found": found,
        }
        self._store.audit.record(at_ms=now_ms, who=who.name, action="search", subject="sightings", details=details)


def _seen(who: Who, wanted: tuple[str, ...]) -> frozenset[str] | None:
    """The cameras that are searched: those that are wanted and may be seen; None for all there are."""
    if who.cameras is None:
        return frozenset(wanted) or None
    return who.cameras & frozenset(wanted) if wanted else who.cameras


def _view(found: Found, strangers: float) -> SightingView:
    one = found.sighting
    return SightingView(
        score=found.score,
        strangers=strangers,
        camera=one.camera,
        track=one.track,
        first_at_ms=one.first_at_ms,
        at_ms=one.at_ms,
        decision=one.decision,
        person_id=one.person_id,
        zones=one.zones,
        quality=one.quality,
    )
