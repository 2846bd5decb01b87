"""Who a track is, or that it is nobody who is enrolled, or that it can't be told yet: open-set identification.

A name is given only when a stranger would look so much like that person in less than `wanted_rate` of all tracks. A
track is looked at again and again, and each look is another chance to be mistaken for somebody: so the k-th test of a
track may only use the share 6/(π²k²) of the rate, which adds up to all of it (alpha spending), and a test is due only
when there is much more to go by.

Trackers mistake people who cross each other, and then a stranger would go on under the name of whoever had the track
before. So looks that speak for another person are kept aside, and where they add up, however weak each of them is, the
track begins anew: what was seen before is not of this person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from stream.identity.calibration import Calibration
from stream.identity.cohort import Cohort
from stream.identity.fusion import FusedState, fuse
from stream.identity.gallery import Gallery, Match, Person, Vector

Decision = Literal["identified", "unknown", "unsure"]


@dataclass(frozen=True)
class IdentifierConfig:
    """`wanted_rate`: strangers' tracks that may be named, as a share (false-positive identification rate)."""

    wanted_rate: float = 0.01
    min_cosine: float = 0.15  # looks that are expected to be worse add nothing but noise
    power: float = 0.8  # a stranger is told from a bad look when so many of the enrolled would have been known by now
    more: float = 1.5  # the next test is due when there is so many times as much to go by
    margin: float = 0.03  # two people who both may be it and are nearer to each other than this: neither is named
    forgive: float = 10.0  # a name is kept while strangers look so alike at most so many times as often as wanted
    runners_up: int = 3
    doubts: float = 3.0  # the same track is another person's when that is so much likelier (a logarithm: 20 times)


class Look(NamedTuple):
    """One look at a face: its unit vector float32[D] and the embedder's quality, 0-1."""

    vector: Vector
    quality: float


class IdentityState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a track's identity; it goes with the track.

    `aside` are the last looks, where they may be another person's, and `doubt` says how much they speak for that;
    `turn` counts the people who took the track over.
    """

    v: int = 1
    fused: FusedState = FusedState()
    aside: FusedState = FusedState()
    doubt: float = 0.0
    turn: int = 0
    tests: int = 0
    tested_signal: float = 0.0
    decision: Decision = "unsure"
    person_id: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a track is said to be and what that rests on; `strangers` is how often a stranger looks so much alike."""

    decision: Decision
    person: Person | None
    score: float
    threshold: float
    strangers: float
    runners_up: tuple[Match, ...]
    looks: int
    strength: float


class Identifier:
    """Decides who a track is: `step` is a pure function of its arguments."""

    def __init__(self, calibration: Calibration, config: IdentifierConfig | None = None) -> None:
        self._calibration = calibration
        self._config = config or IdentifierConfig()

    def step(
        self, state: IdentityState, looks: Sequence[Look], gallery: Gallery
    ) -> tuple[IdentityState, Identity | None]:
        """Take in a frame's looks at the track; the identity is None where no new test was due."""
        for look in looks:
            cosine = self._calibration.cosine(look.quality)
            if cosine >= self._config.min_cosine:
                state = self._taken(state, look.vector, cosine, gallery.cohort)
        fused = state.fused
        if not fused.looks or fused.signal < self._config.more * state.tested_signal:
            return state, None
        return self.test(state, gallery)

    def test(self, state: IdentityState, gallery: Gallery) -> tuple[IdentityState, Identity]:
        """Hold what was seen so far against the gallery, as one more test of the track."""
        return self._test(state, gallery, state.tests + 1)

    def again(self, state: IdentityState, gallery: Gallery) -> tuple[IdentityState, Identity]:
        """The last test once more, for a gallery that has changed.

        It spends nothing: whoever was in the gallery gets the same answer, and who is new is held once against what
        was seen, at a share of the rate that counts for all.
        """
        return self._test(state, gallery, max(1, state.tests))

    def _taken(self, state: IdentityState, look: Vector, cosine: float, cohort: Cohort) -> IdentityState:
        """The state with one more look, which may be of somebody who took the track over.

        Looks are kept aside while they speak for another person more than for the same one. Where what they say adds
        up to `doubts`, by two looks at least, what was seen before is not of this person (E. S. Page, Biometrika 41,
        1954). Odd looks are forgotten when others speak for the same person again, or when they differ themselves.
        """
        said = self._doubt(state.fused, look, cosine, cohort)
        doubt = max(0.0, state.doubt + said)
        if not doubt:
            return msgspec.structs.replace(state, fused=fuse(state.fused, look, cosine), aside=FusedState(), doubt=0.0)
        if self._doubt(state.aside, look, cosine, cohort) >= self._config.doubts:
            return msgspec.structs.replace(state, aside=fuse(FusedState(), look, cosine), doubt=max(0.0, said))
        aside = fuse(state.aside, look, cosine)
        if doubt >= self._config.doubts and aside.looks > 1:
            return IdentityState(fused=aside, turn=state.turn + 1)
        return msgspec.structs.replace(state, aside=aside, doubt=doubt)

    def _doubt(self, fused: FusedState, look: Vector, cosine: float, cohort: Cohort) -> float:
        """How much likelier a look is of another person than of the same one: the logarithm, `doubts` at most.

        Two looks with cosines p and q to their person meet at p·q, or nearer; strangers where the calibration says.
        Nothing was seen yet: no doubt.
        """
        if not fused.looks:
            return 0.0
        strength = fused.strength(self._calibration.correlation)
        level = self._calibration.level(min(strength, cosine))
        other, spread = level.strangers
        score = float(cohort.likeness(fused.vector[None], look[None])[0, 0])
        short = max(0.0, max(strength * cosine, other) - score)
        same = -0.5 * (short / level.genuine_std) ** 2 - math.log(level.genuine_std)
        said = -0.5 * ((score - other) / spread) ** 2 - math.log(spread) - same
        return min(max(said, -self._config.doubts), self._config.doubts)

    def _test(self, state: IdentityState, gallery: Gallery, number: int) -> tuple[IdentityState, Identity]:
        fused = state.fused
        strength = fused.strength(self._calibration.correlation)
        rate = self._config.wanted_rate * 6 / (math.pi * number) ** 2
        pictures = len(gallery.vectors)
        threshold = self._calibration.threshold(strength, rate, pictures)
        matches = gallery.nearest(fused.vector, 1 + self._config.runners_up)
        score = matches[0].score if matches else -1.0
        strangers = self._calibration.strangers(strength, score, pictures)
        decision = self._decide(state, matches, threshold, strangers, self._calibration.power(strength, threshold))
        person = matches[0].person if decision == "identified" else None
        state = msgspec.structs.replace(
            state,
            tests=number,
            tested_signal=fused.signal,
            decision=decision,
            person_id=person.id if person else "",
        )
        return state, Identity(decision, person, score, threshold, strangers, matches, fused.looks, strength)

    def _decide(
        self, state: IdentityState, matches: Sequence[Match], threshold: float, strangers: float, power: float
    ) -> Decision:
        if matches and matches[0].score >= threshold:
            rival = matches[1].score if len(matches) > 1 else -1.0
            ambiguous = rival >= threshold and matches[0].score - rival < self._config.margin
            return "unsure" if ambiguous else "identified"
        kept = bool(matches) and matches[0].person.id == state.person_id
        if kept and strangers <= self._config.forgive * self._config.wanted_rate:
            return "identified"
        return "unknown" if power >= self._config.power or not matches else "unsure"
