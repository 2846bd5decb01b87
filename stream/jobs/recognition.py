"""Who the tracks of one camera's lane are: looks fused by track, held against the gallery, told as sightings.

Pure but for the fresh nonces of what is sealed. What would show a face stands in the state only sealed under the key of
its day: the state is opened for a track when there is a new look at it, which costs some microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from contracts.decoding import msgpack_decoder
from contracts.errors import ContractError
from contracts.identity import Identified, RunnerUp
from contracts.messages import Detection, Evidence, FrameDetections, Look, TrackedObject
from contracts.people import Sighting
from stream.identity import Calibration, Gallery, Identifier, IdentifierConfig, Identity, IdentityState
from stream.identity import Look as FaceLook
from stream.jobs.gallery_watch import VECTOR, Embedder, Enrolled, unit
from stream.rules import Who
from stream.tracking import Track, TrackerState
from vault import DayKeys, VaultError

FACE = "face"
"""The kind of a look at a face."""

TrackKey = tuple[int, int]
"""A track's number and its first time: numbers begin again with a new state."""

UNSURE = Identified(decision="unsure")

_IDENTITY = msgpack_decoder(IdentityState)
_encoder = msgspec.msgpack.Encoder()


class TrackFace(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one track's face; deleted with the track.

    `sealed` is its IdentityState, `who` what was said of it last, `seen` the frame and box of the best look. `gallery`
    is the Enrolled.state that it was held against, `untold` whether the next sighting has something new. `turn` counts
    the people who have taken the track over, as far as their faces show it.
    """

    track_id: int
    started_at_ms: int
    session: int
    first_at_ms: int
    at_ms: int
    sealed: bytes
    who: Identified
    seen: Evidence
    model: str
    strength: float = 0.0
    gallery: int = 0
    zones: tuple[str, ...] = ()
    untold: bool = True
    turn: int = 0

    @property
    def key(self) -> TrackKey:
        """Which track it is of."""
        return self.track_id, self.started_at_ms


class FacesState(msgspec.Struct, frozen=True, kw_only=True):
    """The faces of one lane's tracks, at most as many as the tracker has tracks.

    `over` are those of people whose track is somebody else's since this frame: they are told, and then gone.
    """

    v: int = 1
    faces: tuple[TrackFace, ...] = ()
    over: tuple[TrackFace, ...] = ()


class Seen(NamedTuple):
    """The frame's tracks, and the box (with its looks) that each took."""

    frame: FrameDetections
    tracks: Sequence[Track]
    boxes: Sequence[Detection]
    tracker: TrackerState


@dataclass(frozen=True)
class Known:
    """What the process knows at this moment: who is enrolled, and the keys of the days."""

    enrolled: Enrolled
    keys: DayKeys


class Tally:
    """Counts what happened to looks and tests, by reason and by decision."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self.tests: dict[str, int] = {}

    def drop(self, reason: str) -> None:
        """One look could not be used."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def test(self, decision: str) -> None:
        """One track was held against the gallery."""
        self.tests[decision] = self.tests.get(decision, 0) + 1


class Recogniser:
    """The faces of one site's cameras: `step` before the rules of a frame; `tell` comes after them."""

    def __init__(self, embedder: Embedder, calibration: Calibration, config: IdentifierConfig) -> None:
        self._embedder = embedder
        self._identifier = Identifier(calibration, config)
        self._correlation = calibration.correlation

    def step(self, state: FacesState, seen: Seen, known: Known, tally: Tally) -> FacesState:
        """The faces after one frame; those of tracks that are no more are kept until they were told.

        What another embedder saw, before the job was started with this one, can't be compared: it is seen anew.
        """
        faces, over = {face.key: face for face in state.faces if face.model == self._embedder.model}, list(state.over)
        for _ in state.faces[len(faces) :]:
            tally.drop("model")
        for track in seen.tracks:
            looks = [] if track.detection is None else self._looks(seen.boxes[track.detection].looks, known, tally)
            key = (track.track_id, track.first_seen_at_ms)
            before = faces.get(key)
            if looks or (before is not None and before.gallery != known.enrolled.state):
                after = self._looked(before, track, looks, seen.frame, known, tally)
                faces.pop(key, None)
                faces |= {} if after is None else {key: after}
                if before is not None and after is not None and after.turn != before.turn:
                    over.append(before)
        return FacesState(faces=tuple(faces[key] for key in sorted(faces)), over=tuple(over))

    def _looks(self, looks: Iterable[Look], known: Known, tally: Tally) -> list[tuple[Look, FaceLook]]:
        """The looks that can be used, opened."""
        found = []
        for look in looks:
            if look.kind != FACE or not look.vector or look.xyxy is None:
                continue
            if look.model != self._embedder.model:
                tally.drop("model")
                continue
            try:
                vector = unit(known.keys.open(look.vector), self._embedder.size, "a look")
            except VaultError:
                tally.drop("key")
            except ContractError:
                tally.drop("vector")
            else:
                found.append((look, FaceLook(vector, look.quality)))
        return found

    def _looked(
        self,
        before: TrackFace | None,
        track: Track,
        looks: Sequence[tuple[Look, FaceLook]],
        frame: FrameDetections,
        known: Known,
        tally: Tally,
    ) -> TrackFace | None:
        """The track's face with the frame's looks; None where there is nothing to go by, or no key to keep it."""
        was = _opened(before, known.keys, tally)
        changed = before is not None and before.gallery != known.enrolled.state
        identity_state, identity = self._tested(was, [one for _, one in looks], known.enrolled, changed=changed)
        if identity is not None:
            tally.test(identity.decision)
        if not identity_state.fused.looks:
            return None
        if before is not None and identity_state.turn != before.turn:
            before = None  # what was seen of whoever had the track before shows somebody else
        who = _identified(identity) if identity is not None else before.who if before is not None else UNSURE
        # A look that is kept aside may show another person, and then is no picture of this one.
        own = looks if before is None or identity_state.fused.looks > was.fused.looks else ()
        evidence, quality, face = _best(before, track, [look for look, _ in own], frame)
        try:
            sealed = known.keys.seal(frame.captured_at_ms, _encoder.encode(identity_state))
            fused = before.who.sealed if before is not None and not looks else _fused(identity_state, frame, known.keys)
        except VaultError:
            tally.drop("key")
            return None
        # The same answer from a gallery that has changed is no news.
        news = identity is not None and (bool(looks) or before is None or _said(before.who) != _said(who))
        return TrackFace(
            track_id=track.track_id,
            started_at_ms=track.first_seen_at_ms,
            session=before.session if before is not None else frame.session,
            first_at_ms=before.first_at_ms if before is not None else frame.captured_at_ms,
            at_ms=frame.captured_at_ms if looks or before is None else before.at_ms,
            sealed=sealed,
            who=replace(who, sealed=fused, looks=identity_state.fused.looks, quality=quality, face=face),
            seen=evidence,
            model=self._embedder.model,
            strength=identity_state.fused.strength(self._correlation),
            gallery=known.enrolled.state,
            zones=before.zones if before is not None else (),
            untold=news or (before is not None and before.untold),
            turn=identity_state.turn,
        )

    def _tested(
        self, state: IdentityState, looks: Sequence[FaceLook], enrolled: Enrolled, *, changed: bool
    ) -> tuple[IdentityState, Identity | None]:
        """A test where one is due, or the last one again where the gallery has changed."""
        after, identity = self._identifier.step(state, looks, enrolled.gallery)
        if identity is None and changed and after.fused.looks:
            return self._identifier.again(after, enrolled.gallery)
        return after, identity


def who_is(state: FacesState, gallery: Gallery) -> Mapping[TrackKey, Who]:
    """Who each track is said to be, with the frame of the best look, as the rules want it."""
    return {
        face.key: Who(face.who, face.seen, gallery.called(face.who.person_id), face.first_at_ms) for face in state.faces
    }


def tell(state: FacesState, seen: Seen, objects: Iterable[TrackedObject]) -> tuple[FacesState, tuple[Sighting, ...]]:
    """The faces that go on, and what there is to tell: tests that brought something new, and tracks that ended."""
    zones = {(one.track_id, one.first_seen_at_ms): one.zones for one in objects}
    alive = {(track.track_id, track.first_seen_at_ms) for track in seen.tracker.tracks}
    kept: list[TrackFace] = []
    told = [_sighting(face, seen.frame, final=True) for face in state.over]
    for face in state.faces:
        final = seen.frame.last or face.key not in alive
        new_zones = tuple(sorted({*face.zones, *zones.get(face.key, ())}))
        face = face if new_zones == face.zones else replace(face, zones=new_zones)
        if face.untold or final:
            told.append(_sighting(face, seen.frame, final=final))
        if not final:
            kept.append(replace(face, untold=False) if face.untold else face)
    return FacesState(faces=tuple(kept)), tuple(told)


def _sighting(face: TrackFace, frame: FrameDetections, *, final: bool) -> Sighting:
    who, seen = face.who, face.seen
    assert who.face is not None
    return Sighting(
        site=frame.site,
        camera=frame.camera,
        lane=frame.lane,
        track=f"{frame.camera}/{frame.lane}/{face.session}/{face.track_id}" + (f"+{face.turn}" if face.turn else ""),
        first_at_ms=face.first_at_ms,
        at_ms=face.at_ms,
        decision=who.decision,
        model=face.model,
        sealed=who.sealed,
        strength=face.strength,
        looks=who.looks,
        quality=who.quality,
        ref=seen.ref,
        face=who.face,
        width=seen.width,
        height=seen.height,
        person_id=who.person_id,
        score=who.score,
        strangers=who.strangers,
        runners_up=who.runners_up,
        zones=face.zones,
        final=final,
        ref_at_ms=seen.captured_at_ms,
        xyxy=seen.xyxy,
    )


class _Best(NamedTuple):
    evidence: Evidence
    quality: float
    face: tuple[float, float, float, float] | None


def _best(before: TrackFace | None, track: Track, looks: Sequence[Look], frame: FrameDetections) -> _Best:
    """The frame, quality and box of the best look at the track so far."""
    best = max(looks, key=lambda look: look.quality, default=None)
    if before is not None and (best is None or best.quality <= before.who.quality):
        return _Best(before.seen, before.who.quality, before.who.face)
    assert best is not None
    evidence = Evidence(
        ref=frame.ref,
        captured_at_ms=frame.captured_at_ms,
        width=frame.width,
        height=frame.height,
        xyxy=track.xyxy,
        confidence=track.confidence,
        detail=frame.detail,
    )
    return _Best(evidence, best.quality, best.xyxy)


def _opened(before: TrackFace | None, keys: DayKeys, tally: Tally) -> IdentityState:
    """What is kept of the track's identity; a fresh one where the day's key is gone."""
    if before is None:
        return IdentityState()
    try:
        return _IDENTITY.decode(keys.open(before.sealed))
    except VaultError:
        tally.drop("key")
        return IdentityState(turn=before.turn)


def _fused(state: IdentityState, frame: FrameDetections, keys: DayKeys) -> bytes:
    """What all looks have in common, sealed; raises VaultError where the day has no key."""
    return keys.seal(frame.captured_at_ms, state.fused.vector.astype(VECTOR).tobytes())


def _identified(identity: Identity) -> Identified:
    """A test's outcome as tracks, events and alerts carry it: without names, which would outlast a removal."""
    person = identity.person
    others = [match for match in identity.runners_up if person is None or match.person.id != person.id]
    return Identified(
        decision=identity.decision,
        person_id=person.id if person else "",
        group=person.group if person else "",
        score=identity.score,
        threshold=identity.threshold if np.isfinite(identity.threshold) else 1.0,
        strangers=identity.strangers,
        runners_up=tuple(RunnerUp(one.person.id, "", one.score) for one in others),
    )


def _said(who: Identified) -> tuple[str, str]:
    return who.decision, who.person_id
