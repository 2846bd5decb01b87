"""Who somebody is said to be, as tracks, events and alerts carry it: by id, names are set where it is shown."""

from __future__ import annotations

import msgspec

from contracts.fields import Count, IdentityDecision, Real, Share, Xyxy


class TrackIdentity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who a track is said to be by now; `person_id` is set for one that is identified."""

    decision: IdentityDecision
    person_id: str = ""


class RunnerUp(msgspec.Struct, frozen=True, gc=False):
    """Somebody else of the gallery whom a face resembles, and how much (cosine); no `name` on the wire."""

    person_id: str
    name: str
    score: Real


class Identified(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who somebody is said to be, and what that rests on.

    `strangers` is the share of strangers' tracks that would look so much like anybody enrolled. `face` is the box of
    the best look in the evidence's picture. `sealed` is the fused vector under the site's key of that day: with it an
    operator's "not this person" or "this is X" needs nothing else. `pseudonym` names an unknown person over visits.
    `name` is not on the wire: see contracts/naming.py.
    """

    decision: IdentityDecision
    person_id: str = ""
    name: str = ""
    group: str = ""
    score: Real = 0.0
    threshold: Real = 0.0
    strangers: Share = 0.0
    looks: Count = 0
    quality: Share = 0.0
    runners_up: tuple[RunnerUp, ...] = ()
    face: Xyxy | None = None
    sealed: bytes = b""
    pseudonym: str = ""
    visits: Count = 0
