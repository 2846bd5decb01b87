"""How often a rule would have fired over tracks that are kept: the rules themselves, run again over what they saw."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from msgspec.structs import replace

from archive.preview.question import Moment, Preview
from contracts.config import Absence, Arming, Camera, Config, Rule
from contracts.errors import VedetteError
from contracts.messages import Alert, Detection, FrameDetections, FrameTracks, TrackedObject
from contracts.suppressions import Suppression
from stream.rules import AlertPolicy, CameraRules, EngineState, PolicyState, RuleEngine, compile_rules
from stream.rules.silencing import Heard, Silencer, SilenceState
from stream.tracking import Track

SILENT = ("camera_down", "tamper", "anomaly", "returning_unknown", "known_person", "unknown_person")
"""Kinds whose events don't come of tracks alone."""
MAX_MOMENTS = 500
IDLE_MS = 5_000
"""An empty scene is looked at so often: a frame says nothing about more than 10 s before it (stream/rules/model.py)."""


class NothingToPreview(VedetteError):
    """A rule of this kind fires of other things than tracks."""


def preview(
    config: Config,
    camera: str,
    rules: Mapping[str, Rule],
    frames: Iterable[FrameTracks],
    suppressions: Sequence[Suppression] = (),
) -> dict[str, Preview]:
    """Run the rules over one camera's frames of the live lane, in order, as if the site were always armed.

    `config` gives the camera and its zones. Frames in which nothing is, and nothing goes on, are passed over, which
    changes no alert's begin. What is kept of tracks has no look: `suppressions` are held against the place alone, which
    has to be the same more closely (stream/rules/silencing.py). Raises NothingToPreview.
    """
    for rule in rules.values():
        if kind_of(rule) in SILENT:
            raise NothingToPreview(f"a rule of kind {kind_of(rule)} fires of other things than tracks")
    by_place = tuple(replace(one, embedding=b"") for one in suppressions)
    compiled = dataclasses.replace(compile_rules(_alone(config, rules), camera), suppressions=by_place)
    lane = _Lane.of(compiled, watches_nothing=_waits(rules))
    found: dict[str, list[Moment]] = {name: [] for name in rules}
    silenced: dict[str, str] = {}
    for frame in frames:
        if frame.lane == "live" and frame.camera == camera:
            lane, alerts, heard = lane.step(frame)
            silenced |= {one.id: one.rule for one in heard.events if one.suppressed_by and not one.opened_by}
            for event in heard.alerting:
                silenced.pop(event.id, None)  # it is no longer what was answered, and alerts
            for alert in alerts:
                if alert.state == "new":
                    found[alert.rule].append(_moment(alert))
    quiet = Counter(silenced.values())
    return {
        name: Preview(count=len(all_), silenced=quiet[name], moments=tuple(all_[-MAX_MOMENTS:]))
        for name, all_ in found.items()
    }


def kind_of(rule: Rule) -> str:
    """The rule's kind as in the config."""
    return str(type(rule).__struct_config__.tag)


def thinned(frames: Sequence[FrameTracks], most: int) -> list[FrameTracks]:
    """The frames, or of those in which something is about `most`, evenly over time, where there are more."""
    busy = sum(bool(frame.tracks) for frame in frames)
    if busy <= most:
        return list(frames)
    every_ms = busy / most * (frames[-1].captured_at_ms - frames[0].captured_at_ms) / len(frames)
    kept: list[FrameTracks] = []
    for frame in frames:
        if not kept or frame.captured_at_ms - kept[-1].captured_at_ms >= every_ms or frame.last:
            kept.append(frame)
    return kept


def _waits(rules: Mapping[str, Rule]) -> bool:
    """Whether one of them fires of nothing being there."""
    return any(isinstance(rule, Absence) for rule in rules.values())


def _alone(config: Config, rules: Mapping[str, Rule]) -> Config:
    """The site with these rules and their places only, armed and with nobody at work on its cameras."""
    places = {getattr(rule, kind, "") for rule in rules.values() for kind in ("zone", "line")}
    cameras = {camera: _with(spec, places) for camera, spec in config.cameras.items()}
    site = replace(config.site, arming=Arming())
    return replace(config, cameras=cameras, site=site, rules={n: replace(r, enabled=True) for n, r in rules.items()})


def _with(spec: Camera, places: Set[str]) -> Camera:
    zones = {name: zone for name, zone in spec.zones.items() if name in places}
    lines = {name: line for name, line in spec.lines.items() if name in places}
    return replace(spec, zones=zones, lines=lines, maintenance=False)


class _Lane(NamedTuple):
    """One camera's lane: its rules and what they remember."""

    engine: RuleEngine
    silencer: Silencer
    policy: AlertPolicy
    watches_nothing: bool
    engine_state: EngineState = EngineState()
    silence_state: SilenceState = SilenceState()
    policy_state: PolicyState = PolicyState()
    place: tuple[int, int] = (-1, -1)

    @classmethod
    def of(cls, rules: CameraRules, *, watches_nothing: bool) -> _Lane:
        return cls(RuleEngine(rules), Silencer(rules), AlertPolicy(rules), watches_nothing)

    def step(self, tracks: FrameTracks) -> tuple[_Lane, tuple[Alert, ...], Heard]:
        """One frame: its alerts, and what was heard of and silent. The topic holds repeats, which change nothing."""
        place = (tracks.session, tracks.index)
        here = [one for one in tracks.tracks if not one.gone]
        if place <= self.place or (not here and self._idle(tracks)):
            return self, (), Heard((), ())
        frame = _frame(tracks, here)
        said = {(one.track_id, one.first_seen_at_ms): one.attributes for one in here if one.attributes}
        followed = _tracks(here, tracks.captured_at_ms)
        engine, _, events = self.engine.step(self.engine_state, frame, followed, said=said)
        silence, heard = self.silencer.step(self.silence_state, events, engine, frame, {})
        policy, alerts = self.policy.step(self.policy_state, heard.alerting, at_ms=tracks.captured_at_ms, frame=frame)
        after = self._replace(engine_state=engine, silence_state=silence, policy_state=policy, place=place)
        return after, alerts, heard

    def _idle(self, tracks: FrameTracks) -> bool:
        state = self.engine_state
        going_on = state.things or state.open or state.spells or self.policy_state.incidents
        return not (self.watches_nothing or going_on or tracks.last) and (tracks.captured_at_ms - state.at_ms < IDLE_MS)


def _frame(tracks: FrameTracks, here: list[TrackedObject]) -> FrameDetections:
    """The frame as the rules know it; what was seen of the tracks stands for the boxes."""
    return FrameDetections(
        site=tracks.site,
        camera=tracks.camera,
        lane=tracks.lane,
        session=tracks.session,
        index=tracks.index,
        captured_at_ms=tracks.captured_at_ms,
        detected_at_ms=tracks.captured_at_ms,
        width=tracks.width,
        height=tracks.height,
        detail=False,
        motion=0.0,
        ref=tracks.ref,
        model=tracks.model,
        detections=tuple(Detection(xyxy=one.xyxy, confidence=one.confidence, label=one.label) for one in here),
        last=tracks.last,
    )


def _tracks(here: list[TrackedObject], at_ms: int) -> list[Track]:
    return [
        Track(
            track_id=one.track_id,
            xyxy=one.xyxy,
            confidence=one.confidence,
            label=one.label,
            detection=place if one.observed else None,
            first_seen_at_ms=one.first_seen_at_ms,
            last_seen_at_ms=at_ms,
            moved_at_ms=at_ms,
            velocity=(0.0, 0.0),
        )
        for place, one in enumerate(here)
    ]


def _moment(alert: Alert) -> Moment:
    return Moment(
        alert=alert.id,
        camera=alert.camera,
        at_ms=alert.started_at_ms,
        label=alert.label,
        why=alert.why,
        ref=alert.evidence.ref if alert.evidence else None,
    )
