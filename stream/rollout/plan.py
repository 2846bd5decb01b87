"""Which model a frame is for: by its camera and by when it was captured, so the same in every process."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from contracts.controls import WATCH_MS, Control, EndCandidate, SetModel, slot_of
from contracts.manifest import ModelManifest
from contracts.messages import Frame

KEPT = 4
"""So many of the last promotions of each kind are known: in service, the one before, and two that are to come."""


@dataclass(frozen=True)
class Placed:
    """A model with the time from which on frames may be its; `version` is that of its control (-1: the config's)."""

    change: SetModel
    from_ms: int
    version: int

    @property
    def manifest(self) -> ModelManifest:
        return self.change.manifest

    @cached_property
    def key(self) -> str:
        """Promotions of the same manifest, and so of the same file, have the same one: it is opened once."""
        return f"{self.manifest.id} {hashlib.sha256(msgspec.json.encode(self.manifest)).hexdigest()}"


@dataclass(frozen=True)
class _End:
    """From this time on there is no candidate."""

    from_ms: int
    version: int


@dataclass(frozen=True)
class Choice:
    """What is to be done with a frame: `serves` gives its detections; if that fails, the next of `instead` does.

    `beside` looks at it too, for a comparison that nobody waits for. `candidate` is who is on trial: also what serves
    all cameras, while it is watched.
    """

    serves: Placed
    instead: tuple[Placed, ...] = ()
    beside: Placed | None = None
    candidate: Placed | None = None

    @property
    def served_by_candidate(self) -> bool:
        """Whether the detections that are told are those of a model on trial."""
        return self.candidate is not None and self.serves is self.candidate


@dataclass(frozen=True)
class Plan:
    """The promotions in one slot that the process knows of, each kind in the order in which they come into force."""

    slot: str
    service: tuple[Placed, ...]
    candidates: tuple[Placed | _End, ...] = ()

    @classmethod
    def of(cls, manifest: ModelManifest, folder: str) -> Plan:
        """The plan of a process that starts with this model."""
        return cls(slot_of(manifest), (Placed(SetModel(manifest=manifest, folder=folder), 0, -1),))

    def take(self, control: Control) -> Plan:
        """The plan with one more promotion in its slot, or the end of one; itself for what changes nothing.

        A version that is not above the last one of its kind is a repeat. What had not yet begun when the new one does
        never will.
        """
        match control.change:
            case SetModel(manifest=manifest) if slot_of(manifest) != self.slot:
                return self
            case EndCandidate(task=task) if task != self.slot:
                return self
            case SetModel(stage="everywhere") as change:
                if control.version <= self.service[-1].version:
                    return self
                placed = Placed(change, control.effective_from_ms, control.version)
                return self._serving(*_before(self.service[-1], placed), placed)
            case SetModel() as change:
                return self._word(Placed(change, control.effective_from_ms, control.version))
            case EndCandidate(model=model, in_service=True):
                return self._back(model, control)
            case EndCandidate(model=model):
                newest = self.candidates[-1] if self.candidates else None
                if isinstance(newest, Placed) and newest.manifest.id != model:
                    return self
                return self._word(_End(control.effective_from_ms, control.version))
            case _:
                return self

    def _serving(self, *placed: Placed) -> Plan:
        before = [one for one in self.service if one.from_ms <= placed[-1].from_ms]
        return replace(self, service=(*before, *placed)[-KEPT:])

    def _back(self, model: str, control: Control) -> Plan:
        """What was in service before the model is so again, and is held against nothing."""
        last = self.service[-1]
        if last.manifest.id != model or control.version <= last.version or len(self.service) < 2:
            return self
        change = msgspec.structs.replace(self.service[-2].change, before=None)
        return self._serving(Placed(change, control.effective_from_ms, control.version))

    def _word(self, word: Placed | _End) -> Plan:
        if self.candidates and word.version <= self.candidates[-1].version:
            return self
        before = [one for one in self.candidates if one.from_ms <= word.from_ms]
        return replace(self, candidates=(*before, word)[-KEPT:])

    def choose(self, frame: Frame, usable: Callable[[Placed], bool]) -> Choice | None:
        """The models for a frame, of those that can be used in this process; None where none can."""
        at_ms = frame.captured_at_ms
        ready = [one for one in self.service if usable(one)]
        begun = [one for one in ready if one.from_ms <= at_ms]
        service = begun[::-1] or ready[:1]  # a frame from before all that is still held
        if not service:
            return None
        candidate = self._candidate(at_ms)
        if candidate is None or not usable(candidate) or candidate.key == service[0].key:
            return self._without_candidate(frame, service)
        change = candidate.change
        if change.cameras and frame.camera not in change.cameras:
            return Choice(service[0], tuple(service[1:]), candidate=candidate)
        compared = sampled(frame.index, change.share)
        if change.stage == "shadow":
            return Choice(service[0], tuple(service[1:]), candidate if compared else None, candidate)
        return Choice(candidate, tuple(service), service[0] if compared else None, candidate)

    def _without_candidate(self, frame: Frame, service: list[Placed]) -> Choice:
        """What is in service, which itself is on trial against the one before it while it is watched."""
        others = tuple(service[1:])
        watched = self.watched(frame.captured_at_ms)
        if watched is None or service[0] is not watched or not others or others[0] is not self.service[-2]:
            return Choice(service[0], others)
        return Choice(watched, others, others[0] if sampled(frame.index, watched.change.share) else None, watched)

    def _candidate(self, at_ms: int) -> Placed | None:
        """The candidate of that time: the last word on one, unless it ended it, or a later promotion everywhere did."""
        words = [one for one in self.candidates if one.from_ms <= at_ms]
        last = words[-1] if words else None
        if not isinstance(last, Placed):
            return None
        promoted_ms = max((one.from_ms for one in self.service if one.version >= 0 and one.from_ms <= at_ms), default=0)
        return last if last.from_ms >= promoted_ms else None

    def watched(self, at_ms: int) -> Placed | None:
        """What is in service, while it may still be taken back for the one before it, and no candidate came since."""
        last = self.service[-1]
        if last.change.before is None or len(self.service) < 2 or self.service[-2].key == last.key:
            return None
        lately = last.from_ms <= at_ms < last.from_ms + WATCH_MS
        return last if lately and self._candidate(at_ms) is None else None

    def now(self, at_ms: int) -> tuple[Placed, Placed | None]:
        """What is in service at that time, and the candidate beside it."""
        begun = [one for one in self.service if one.from_ms <= at_ms]
        return (begun or self.service)[-1 if begun else 0], self._candidate(at_ms)

    def needed(self, since_ms: int, works: Callable[[Placed], bool]) -> tuple[Placed, ...]:
        """The promotions that a frame captured from `since_ms` on is for, or stands in for one that doesn't work."""
        words = [one for one in self.candidates if isinstance(one, Placed) and self._may_serve(one, since_ms)]
        older = [one for one in self.service if one.from_ms <= since_ms and works(one)]
        newer = [one for one in self.service if one.from_ms > since_ms]
        held = 1 if self.watched(since_ms) is None else 2
        return (*older[-held:], *newer, *words)

    def _may_serve(self, candidate: Placed, since_ms: int) -> bool:
        """Whether a frame that is captured from `since_ms` on can be the candidate's."""
        enders = (*(one.from_ms for one in self.service if one.version >= 0), *(one.from_ms for one in self.candidates))
        return all(one > since_ms for one in enders if one > candidate.from_ms)


def _before(known: Placed, placed: Placed) -> tuple[Placed, ...]:
    """What was in service before, where a process that started since then knows of another one."""
    before = placed.change.before
    if before is None or (before.id, before.sha256) == (known.manifest.id, known.manifest.sha256):
        return ()
    return (Placed(SetModel(manifest=before, folder=""), known.from_ms, placed.version - 1),)


def sampled(index: int, share: float) -> bool:
    """Whether the frame with this index is among `share` of all, evenly spread."""
    return math.floor((index + 1) * share) > math.floor(index * share)
