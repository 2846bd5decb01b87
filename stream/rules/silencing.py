"""What operators' answers silence: an event that comes again like an answered false alarm stays an event, not an alert.

Like means: the same rule and label, on the place, of the size and with the look of the box that was answered. Place and
size are one number, the overlap of both boxes (IoU): two equal boxes that lie d apart along a side s have
(s - d) / (s + d), so at least .5 means d <= s / 3. Somebody a body height away doesn't overlap at all, and a box of
half the area that lies inside is just on the bound. The look is the cosine of both appearance vectors; without them the
place has to be the same more closely.

`python -m tests.bench.silencing_bench` measures the bounds. Over CAVIAR's lobby (twelve recordings of one camera on
different days; 105 false boxes of the bundled detector, 161 true ones) and PETS09-S2L1 (98 and 432), at cosine .8 and
IoU .5: of the same false alarm seen again 94 and 97 % are silent, and of true people 1 of 17,000 pairs in the lobby and
none in the other. By the place alone it would be 7 %, and none from IoU .7 on. (At cosine .7: 1 of 280; at .9 a quarter
of the false ones would alert again.)

A thing may begin like a silenced one and then be something else: the tracker takes a passer-by for the coat stand. So
what is silenced is held against its suppression in every frame in which it is seen, and is told as soon as it has been
elsewhere, or another look, for some of them in a row: one look alone may be somebody in front of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.config import within
from contracts.fields import Xyxy
from contracts.messages import Event, Evidence, FrameDetections
from contracts.suppressions import SUPPRESSIBLE, Suppression
from stream.geometry import iou
from stream.rules.model import CameraRules
from stream.rules.state import EngineState, Open, Thing
from stream.tracking.appearance import vector_of
from stream.tracking.association import cosine


@dataclass(frozen=True)
class SilenceConfig:
    """How like an event must be: least cosine and overlap (`place_alone` where there is no look to compare).

    After `leaves_after` sights in a row that are unlike it is told.
    """

    look: float = 0.8
    place: float = 0.5
    place_alone: float = 0.7
    leaves_after: int = 3


class Hushed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event that is going on and was silenced by a suppression ("": it got away from one, and stays an alert).

    `unlike` counts the sights in a row that were not like it. Deleted when the event is over.
    """

    start_id: str
    suppression: str
    unlike: int = 0


class SilenceState(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's lane: at most its open events."""

    v: int = 1
    hushed: tuple[Hushed, ...] = ()


class Heard(NamedTuple):
    """`events` are for the topic, all of them; `alerting` are those that the alert policy is to hear of.

    One among `alerting` that has `suppressed_by` is to leave the alert that it is in. `silenced` counts the events
    that fell silent with this frame.
    """

    events: tuple[Event, ...]
    alerting: tuple[Event, ...]
    silenced: int = 0


class Silencer:
    """The suppressions of one camera; `step` is a pure function of its arguments."""

    def __init__(self, rules: CameraRules, config: SilenceConfig | None = None) -> None:
        self._rules = rules
        self._config = config or SilenceConfig()

    def step(
        self,
        state: SilenceState,
        events: Sequence[Event],
        engine: EngineState,
        frame: FrameDetections,
        alerts: Mapping[str, str],
    ) -> tuple[SilenceState, Heard]:
        """The frame's events as they are told. `engine` is the engine's state after them.

        `alerts` are the ids of the alerts that events are in by now, by the event that began each: what an operator has
        just answered falls silent while it goes on, where it is still what was answered.
        """
        if not self._rules.suppressions and not state.hushed:
            return state, Heard(tuple(events), tuple(events))
        turn = _Turn(self._rules, self._config, frame, engine)
        hushed = {one.start_id: one for one in state.hushed}
        for event in events:
            turn.tell(event, hushed)
        for opened in engine.open:
            if opened.start_id in hushed:
                hushed[opened.start_id] = turn.watch(opened, hushed[opened.start_id])
            elif opened.start_id in alerts:
                turn.answered(opened, alerts[opened.start_id], hushed)
        going = {opened.start_id for opened in engine.open}
        kept = tuple(one for one in hushed.values() if one.start_id in going)
        return SilenceState(hushed=kept), Heard(tuple(turn.events), tuple(turn.alerting), turn.silenced)


class _Turn:
    """One step: the suppressions that hold at this frame, and what is told."""

    def __init__(self, rules: CameraRules, config: SilenceConfig, frame: FrameDetections, engine: EngineState) -> None:
        self._config, self._frame = config, frame
        self._things = {thing.uid: thing for thing in engine.things}
        at_ms = frame.captured_at_ms
        holding = [one for one in rules.suppressions if one.model == frame.model and at_ms < one.until_ms]
        self._holding = {one.id: one for one in holding}
        self._now = [one for one in holding if within((one.hours,), at_ms, rules.time_zone)]
        self.events: list[Event] = []
        self.alerting: list[Event] = []
        self.silenced = 0

    def tell(self, event: Event, hushed: dict[str, Hushed]) -> None:
        """One event of the engine: silent where it begins like a suppression, or what began it is."""
        by = ""
        if event.opened_by:
            known = hushed.get(event.opened_by)
            by = known.suppression if known is not None else ""
        elif event.kind in SUPPRESSIBLE and event.evidence is not None and event.evidence.xyxy is not None:
            like = self._like(event, event.evidence.xyxy, event.evidence.embedding)
            if like is not None:
                by = like.id
                hushed[event.id] = Hushed(event.id, by)
                self.silenced += 1
        self.events.append(replace(event, suppressed_by=by) if by else event)
        if not by:
            self.alerting.append(event)

    def watch(self, opened: Open, known: Hushed) -> Hushed:
        """A silenced event that goes on: told when its thing is clearly not what was silenced."""
        thing = self._seen(opened)
        if not known.suppression or (thing is None and known.suppression in self._holding):
            return known
        suppression = self._holding.get(known.suppression)
        if thing is not None and suppression is not None and self._fits(suppression, thing.xyxy, thing.embedding):
            return replace(known, unlike=0)
        if suppression is not None and known.unlike + 1 < self._config.leaves_after:
            return replace(known, unlike=known.unlike + 1)
        self._break_silence(opened, thing)
        return Hushed(opened.start_id, "")

    def answered(self, opened: Open, alert: str, hushed: dict[str, Hushed]) -> None:
        """An event that is in an alert: silent from now on where that alert's answer is about this very thing."""
        thing = self._seen(opened)
        if thing is None or opened.event.kind not in SUPPRESSIBLE:
            return
        like = self._like(opened.event, thing.xyxy, thing.embedding)
        if like is None or like.alert != alert:
            return
        hushed[opened.start_id] = Hushed(opened.start_id, like.id)
        silent = replace(self._now_of(opened, thing), suppressed_by=like.id)
        self.events.append(silent)
        self.alerting.append(silent)
        self.silenced += 1

    def _break_silence(self, opened: Open, thing: Thing | None) -> None:
        """For the topic the event goes on; for the alerts it begins with this frame."""
        event = self._now_of(opened, thing)
        self.events.append(event)
        self.alerting.append(replace(event, id=opened.start_id, opened_by=""))

    def _now_of(self, opened: Open, thing: Thing | None) -> Event:
        at_ms = self._frame.captured_at_ms
        return replace(
            opened.event,
            id=str(uuid.uuid5(uuid.UUID(opened.start_id), f"{at_ms}/silence")),
            at_ms=at_ms,
            opened_by=opened.start_id,
            evidence=opened.event.evidence if thing is None else _evidence(thing, self._frame),
        )

    def _seen(self, opened: Open) -> Thing | None:
        """The event's thing, where it is seen in this very frame."""
        thing = self._things.get(opened.subject)
        return thing if thing is not None and thing.observed_at_ms == self._frame.captured_at_ms else None

    def _like(self, event: Event, xyxy: Xyxy, embedding: bytes) -> Suppression | None:
        """The first suppression of this hour that the event is like."""
        for one in self._now:
            if (one.rule, one.label) == (event.rule, event.label) and self._fits(one, xyxy, embedding):
                return one
        return None

    def _fits(self, suppression: Suppression, xyxy: Xyxy, embedding: bytes) -> bool:
        """Whether a box is on the place, of the size and with the look of the one that was answered."""
        x1, y1, x2, y2 = xyxy
        width, height = self._frame.width, self._frame.height
        return fits(suppression, (x1 / width, y1 / height, x2 / width, y2 / height), embedding, self._config)


def fits(suppression: Suppression, xyxy: Xyxy, embedding: bytes, config: SilenceConfig) -> bool:
    """Whether a box (0-1 of the picture) is on the place, of the size and with the look of what is silenced."""
    least = config.place if suppression.embedding else config.place_alone
    if iou([xyxy], [suppression.xyxy])[0, 0] < least:
        return False
    return not suppression.embedding or _alike(suppression.embedding, embedding) >= config.look


def _alike(known: bytes, seen: bytes) -> float:
    """The cosine of two looks; 0 where one is none, or of another length."""
    width = len(known) // 2
    alike, both = cosine(vector_of(known, width)[None], vector_of(seen, width)[None])
    return float(alike[0, 0]) if both[0, 0] else 0.0


def _evidence(thing: Thing, frame: FrameDetections) -> Evidence:
    """This frame, with the thing in it."""
    return Evidence(
        ref=frame.ref,
        captured_at_ms=frame.captured_at_ms,
        width=frame.width,
        height=frame.height,
        xyxy=thing.xyxy,
        confidence=thing.confidence,
        detail=frame.detail,
        embedding=thing.embedding,
    )
