"""What a track's looks say of an attribute together: a vote that is weighted, forgets, and may be "not sure yet"."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.attributes import UNSURE, TrackAttribute

TrackKey = tuple[int, int]
"""A track's number and its first time."""

Attributes = Mapping[TrackKey, tuple[TrackAttribute, ...]]


@dataclass(frozen=True)
class Believed:
    """When an attribute of a model is said: from which mean probability on, by value (`default` for the rest).

    Looks count half after `memory_s` (0: for ever), so that who takes the hat off is noticed.
    """

    thresholds: Mapping[str, float] = field(default_factory=lambda: {"default": 0.7})
    memory_s: float = 20.0

    def threshold(self, value: str) -> float:
        """The least mean probability of this value."""
        return self.thresholds.get(value, self.thresholds.get("default", 0.7))


@dataclass(frozen=True)
class VoteConfig:
    """`least_weight` is how much has to be seen before anything is said: two clear looks, or more poor ones.

    What was said once is said until its mean probability is `slack` below its threshold.
    """

    attributes: Mapping[str, Believed] = field(default_factory=dict)
    least_weight: float = 1.2
    slack: float = 0.15


class AttributeLook(NamedTuple):
    """One look at a track: the probability of each value, and how much it counts (0..1).

    `thresholds` are those of its model; without any the config's model is meant.
    """

    track: TrackKey
    name: str
    model: str
    probabilities: Mapping[str, float]
    weight: float
    thresholds: Mapping[str, float] = MappingProxyType({})


class Vote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The looks at one attribute of one track: weighted sums as of `at_ms`. Deleted with the track."""

    track_id: int
    first_seen_at_ms: int
    name: str
    model: str
    at_ms: int
    weight: float
    sums: dict[str, float]
    looks: int
    value: str = UNSURE

    @property
    def track(self) -> TrackKey:
        """Whose it is."""
        return self.track_id, self.first_seen_at_ms

    def mean(self, value: str) -> float:
        """The mean probability of a value."""
        return self.sums.get(value, 0.0) / self.weight if self.weight > 0 else 0.0


class VoteState(msgspec.Struct, frozen=True, array_like=True):
    """The votes of one camera's lane: one for each attribute of each track that was looked at and lives."""

    v: int = 1
    votes: tuple[Vote, ...] = ()


class Voter:
    """`step` is a pure function of its arguments."""

    def __init__(self, config: VoteConfig) -> None:
        self._config = config

    def step(
        self, state: VoteState, looks: Sequence[AttributeLook], living: Collection[TrackKey], at_ms: int
    ) -> tuple[VoteState, Attributes]:
        """The votes after one frame at `at_ms`, and what they say of each track; those of other tracks are deleted.

        A look of another model than before begins anew: its probabilities mean something else.
        """
        votes = {(one.track, one.name): one for one in state.votes if one.track in living}
        for look in looks:
            if look.track in living and look.weight > 0 and look.name in self._config.attributes:
                votes[look.track, look.name] = self._taken(votes.get((look.track, look.name)), look, at_ms)
        said: dict[TrackKey, tuple[TrackAttribute, ...]] = {}
        for one in (votes[key] for key in sorted(votes)):
            said[one.track] = (*said.get(one.track, ()), _told(one))
        return VoteState(votes=tuple(votes[key] for key in sorted(votes))), said

    def _taken(self, before: Vote | None, look: AttributeLook, at_ms: int) -> Vote:
        believed = self._config.attributes[look.name]
        if look.thresholds:
            believed = Believed(look.thresholds, believed.memory_s)
        if before is None or before.model != look.model:
            before = Vote(*look.track, look.name, look.model, at_ms, 0.0, {}, 0)
        passed_s = max(0, at_ms - before.at_ms) / 1000
        kept = math.exp2(-passed_s / believed.memory_s) if believed.memory_s > 0 else 1.0
        sums = {value: kept * total for value, total in before.sums.items()}
        for value, probability in look.probabilities.items():
            sums[value] = sums.get(value, 0.0) + look.weight * probability
        vote = replace(
            before, at_ms=at_ms, weight=kept * before.weight + look.weight, sums=sums, looks=before.looks + 1
        )
        return replace(vote, value=self._value(vote, believed))

    def _value(self, vote: Vote, believed: Believed) -> str:
        best = min(vote.sums, key=lambda value: (-vote.sums[value], value))
        enough = vote.weight >= self._config.least_weight
        if enough and vote.mean(best) >= believed.threshold(best):
            return best
        stays = vote.value != UNSURE and vote.mean(vote.value) >= believed.threshold(vote.value) - self._config.slack
        return vote.value if stays else UNSURE


def _told(vote: Vote) -> TrackAttribute:
    best = vote.value or min(vote.sums, key=lambda value: (-vote.sums[value], value))
    return TrackAttribute(
        name=vote.name,
        value=vote.value,
        confidence=round(min(1.0, vote.mean(best)), 4),
        looks=vote.looks,
        model=vote.model,
    )
