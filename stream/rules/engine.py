"""The rule engine: tracks of one camera in, things with their zones and the events of its rules out."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from msgspec.structs import replace

from contracts.config import (
    Absence,
    Crowd,
    KnownPerson,
    LeftObject,
    LineCrossing,
    Loitering,
    Running,
    UnknownPerson,
    WrongWay,
    ZoneEntry,
)
from contracts.edge_messages import EdgeStatus
from contracts.identity import TrackIdentity
from contracts.messages import Event, Evidence, FrameDetections, TrackedObject
from stream.rules import health, left, motion, people, presence
from stream.rules.habits import Habits
from stream.rules.model import ActiveRule, CameraRules
from stream.rules.scene import SCENE, People, Readings, Scene, whole
from stream.rules.spells import held, long_enough
from stream.rules.state import EngineState, Health, Mark, Open, Spell, Thing
from stream.rules.telling import Teller
from stream.rules.things import Followed, Sight, follow
from stream.rules.zones import Moves, Places
from stream.tracking import Track
from stream.tracking.attributes import Attributes

NOBODY: People = MappingProxyType({})
NOTHING: Attributes = MappingProxyType({})
Stepped = tuple[EngineState, tuple[TrackedObject, ...], tuple[Event, ...]]


class RuleEngine:
    """The rules of one camera; every method is a pure function of its arguments."""

    def __init__(self, rules: CameraRules, habits: Habits | None = None) -> None:
        self._rules = rules
        self._habits = habits or Habits()

    def step(
        self,
        state: EngineState,
        frame: FrameDetections,
        tracks: Sequence[Track],
        known: People = NOBODY,
        said: Attributes = NOTHING,
    ) -> Stepped:
        """One frame of the lane, the tracker's tracks in it, who they are said to be, and of which attributes.

        Returns the state, what each track did (a thing that is gone is listed once more, with confidence 0 and its
        zones in `left`), and the events in order of rule and thing. The `last` frame of a source ends everything.
        """
        interval_ms = max(0, frame.captured_at_ms - state.at_ms) if state.started else 0
        sight = Sight(frame, state.ms + min(interval_ms, self._rules.gap_ms), interval_ms)
        followed = follow(state, tracks, sight, self._habits)
        things, moves = self._placed(state, followed, sight)
        scene = Scene(
            rules=self._rules,
            habits=self._habits,
            frame=frame,
            ms=sight.ms,
            things=tuple(thing for thing in things if not thing.parked),
            seen=followed.seen,
            moves=moves,
            people=known,
            attributes=said,
        )
        teller = Teller(self._rules, frame.lane, frame.captured_at_ms, sight.ms, self._habits)
        last_frame = whole(frame)
        spells, opened, events = self._judged(state, scene, teller, last_frame)
        objects = _objects(scene, followed, last=frame.last)
        after = replace(
            state,
            started=True,
            ms=sight.ms,
            at_ms=frame.captured_at_ms,
            next_uid=followed.next_uid,
            things=_marked(things, moves, opened),
            spells=spells,
            open=opened,
            last_frame=last_frame,
        )
        if frame.last:
            after, events = _finished(after, events, teller)
        return after, objects, events

    def on_status(self, state: EngineState, status: EdgeStatus) -> tuple[EngineState, tuple[Event, ...]]:
        """What the agent says of the camera once a second: camera_down and tamper begin and end here."""
        return self._healthy(state, health.heard(state.health, status), health.broker_ms(status))

    def on_silence(self, state: EngineState, at_ms: int) -> tuple[EngineState, tuple[Event, ...]]:
        """Told by someone with a clock that it is `at_ms` (broker's time); the agent may have said nothing for long."""
        now = health.missed(state.health, at_ms)
        return self._healthy(state, now, at_ms)

    def _placed(
        self, state: EngineState, followed: Followed, sight: Sight
    ) -> tuple[tuple[Thing, ...], dict[int, Moves]]:
        """The things with zones, lines and owners brought up to date."""
        frame = sight.frame
        places = Places(self._rules, frame.width, frame.height, self._habits)
        before = {thing.uid: thing for thing in state.things}
        seen = [thing for thing in followed.things if thing.uid in followed.seen]
        moved = places.move(before, seen, frame, sight.ms)
        things = tuple(moved[thing.uid][0] if thing.uid in moved else thing for thing in followed.things)
        specs = [rule.rule for rule in self._rules.active if isinstance(rule.rule, LeftObject)]
        if specs:
            labels = frozenset(label for spec in specs for label in spec.labels)
            near = max(spec.near for spec in specs)
            things = left.owned(things, followed.seen, labels, near, sight.ms, self._habits)
        return things, {uid: moves for uid, (_, moves) in moved.items()}

    def _judged(
        self, state: EngineState, scene: Scene, teller: Teller, last_frame: Evidence
    ) -> tuple[tuple[Spell, ...], tuple[Open, ...], tuple[Event, ...]]:
        """Every rule on this scene; health is another matter, and open events of rules that are no more end."""
        spells: list[Spell] = []
        still: list[Open] = []
        events: list[Event] = []
        live = {(rule.name, rule.version) for rule in self._rules.active}
        for opened in state.open:
            if opened.event.kind in health.KINDS:
                still.append(opened)
            elif (opened.event.rule, opened.event.rule_version) not in live:
                events.append(teller.end(opened))
        for rule in self._rules.active:
            if rule.kind in health.KINDS or rule.kind == "anomaly":
                continue
            readings = read(rule, scene)
            after_ms, slack_ms = _patience(rule, self._habits)
            kept = held(state.spells, rule.name, rule.version, readings, scene.ms, slack_ms)
            spells += kept if after_ms or slack_ms else ()
            true = frozenset(spell.subject for spell in kept if long_enough(spell, after_ms))
            opened_, told = _told(rule, state, scene, readings, true, teller, last_frame)
            still += opened_
            events += told
        return tuple(spells), tuple(still), tuple(events)

    def _healthy(self, state: EngineState, now: Health, at_ms: int) -> tuple[EngineState, tuple[Event, ...]]:
        teller = Teller(self._rules, "live", at_ms, state.ms, self._habits)
        still = [opened for opened in state.open if opened.event.kind not in health.KINDS]
        events: list[Event] = []
        was = {(o.event.rule, o.event.rule_version): o for o in state.open if o.event.kind in health.KINDS}
        for rule in self._rules.active:
            opened = was.pop((rule.name, rule.version), None)
            reading = health.read(rule, now, at_ms)
            if reading is not None and opened is None:
                event = teller.begin(rule, reading, (), state.last_frame, once=False)
                opened = Open(event.id, SCENE, state.ms, event)
                events.append(event)
            elif reading is None and opened is not None:
                events.append(teller.end(opened))
                opened = None
            still += [opened] if opened is not None else []
        events += [teller.end(opened) for opened in was.values()]
        return replace(state, health=now, open=tuple(still)), tuple(events)


def read(rule: ActiveRule, scene: Scene) -> Readings:  # noqa: C901  one case a kind
    """For which subjects the rule's condition holds in this frame."""
    match rule.rule:
        case ZoneEntry() as spec:
            return presence.zone_entry(rule, spec, scene)
        case Loitering() as spec:
            return presence.loitering(rule, spec, scene)
        case Crowd() as spec:
            return presence.crowd(rule, spec, scene)
        case Absence() as spec:
            return presence.absence(rule, spec, scene)
        case LineCrossing() as spec:
            return motion.line_crossing(rule, spec, scene)
        case WrongWay() as spec:
            return motion.wrong_way(rule, spec, scene)
        case Running() as spec:
            return motion.running(rule, spec, scene)
        case LeftObject() as spec:
            return left.left_object(rule, spec, scene)
        case KnownPerson() as spec:
            return people.known_person(rule, spec, scene)
        case UnknownPerson() as spec:
            return people.unknown_person(rule, spec, scene)
        case _:
            return {}


def _patience(rule: ActiveRule, habits: Habits) -> tuple[int, int]:
    """How long the condition must hold, and for how long it may fail meanwhile, ms; dwell keeps its own time."""
    match rule.rule:
        case Crowd(after_s=after_s):
            return round(after_s * 1000), habits.crowd_slack_ms
        case Absence(after_s=after_s):
            return round(after_s * 1000), 0
        case Running(after_s=after_s):
            # The slope of a path is the speed at its middle: who is fast now has been so for half of it.
            return max(0, round(after_s * 1000) - habits.speed_ms // 2), habits.spell_slack_ms
        case WrongWay(after_s=after_s):
            return round(after_s * 1000), habits.spell_slack_ms
        case _:
            return 0, 0


def _told(
    rule: ActiveRule,
    state: EngineState,
    scene: Scene,
    readings: Readings,
    true: frozenset[int],
    teller: Teller,
    last_frame: Evidence,
) -> tuple[list[Open], list[Event]]:
    """The rule's open events after this frame, and what there is to tell."""
    things = {thing.uid: thing for thing in scene.things}
    mine = {
        opened.subject: opened
        for opened in state.open
        if (opened.event.rule, opened.event.rule_version) == (rule.name, rule.version)
    }
    still: list[Open] = []
    events: list[Event] = []
    for subject in sorted({*mine, *true}):
        reading, opened, thing = readings.get(subject), mine.get(subject), things.get(subject)
        trail = thing.trail if thing is not None else ()
        now = people.taken_back(opened.event, thing, scene) if opened is not None else None
        if opened is not None and (subject not in true or now is not None):
            events.append(teller.end(opened, trail, now))
            opened = None
            if now is None:
                continue
        if opened is not None:
            if reading is not None:
                counts = subject == SCENE
                opened, event = teller.go_on(opened, reading, trail, last_frame, counts=counts)
                events += [event] if event is not None else []
            still.append(opened)
        elif reading is not None and reading.starts and not (thing is not None and _spoken(rule, thing)):
            once = isinstance(rule.rule, LineCrossing)
            event = teller.begin(rule, reading, trail, last_frame, once=once)
            events.append(event)
            still += [] if once else [Open(event.id, subject, scene.ms, event)]
    return still, events


def _spoken(rule: ActiveRule, thing: Thing) -> bool:
    """Whether the rule has had its say about this thing; one that stands still is not told again by a changed rule."""
    return any(mark.rule == rule.name and (mark.version == rule.version or thing.stationary) for mark in thing.marks)


def _marked(things: tuple[Thing, ...], moves: dict[int, Moves], opened: tuple[Open, ...]) -> tuple[Thing, ...]:
    """The things with a mark for each rule that speaks of them, without the marks that they have walked away from."""
    new: dict[int, list[Mark]] = {}
    for one in opened:
        if one.event.kind in ("zone_entry", "loitering", "left_object"):
            zone = one.event.zone if one.event.kind != "left_object" else ""
            new.setdefault(one.subject, []).append(Mark(one.event.rule, one.event.rule_version, zone))
    marked = []
    for thing in things:
        gone = {*moves[thing.uid].left, *(() if thing.stationary else ("",))} if thing.uid in moves else set()
        kept = [mark for mark in thing.marks if mark.zone not in gone]
        rules = {mark.rule for mark in new.get(thing.uid, [])}
        kept = [mark for mark in kept if mark.rule not in rules] + new.get(thing.uid, [])
        marked.append(replace(thing, marks=tuple(kept)))
    return tuple(marked)


def _objects(scene: Scene, followed: Followed, *, last: bool) -> tuple[TrackedObject, ...]:
    """What is in the frame, and once more what is gone from it; "" stands for the whole picture."""
    objects = []
    for thing in scene.things:
        if thing.uid not in scene.seen:
            continue
        moves = scene.moved(thing)
        zones = tuple(stay.zone for stay in thing.stays if stay.counted)
        gone = _leaving(thing) if last else ((), ())
        objects.append(
            TrackedObject(
                track_id=thing.track_id,
                xyxy=thing.xyxy,
                confidence=thing.confidence,
                label=thing.label,
                first_seen_at_ms=thing.track_started_at_ms,
                observed=thing.observed_at_ms == scene.frame.captured_at_ms,
                stationary=thing.stationary,
                zones=() if last else zones,
                entered=(*(("",) if thing.uid in followed.born else ()), *moves.entered),
                left=moves.left + gone[0],
                dwell_ms=moves.dwell_ms + gone[1],
                crossed=moves.crossed,
                identity=_identity(scene, thing),
                attributes=scene.said(thing),
            )
        )
    absent = [thing for thing in scene.things if thing.uid not in scene.seen] if last else []
    return tuple(objects) + tuple(_departed(thing) for thing in (*followed.gone, *absent))


def _identity(scene: Scene, thing: Thing) -> TrackIdentity | None:
    who = scene.who(thing)
    return TrackIdentity(decision=who.identified.decision, person_id=who.identified.person_id) if who else None


def _departed(thing: Thing) -> TrackedObject:
    zones, dwell_ms = _leaving(thing)
    return TrackedObject(
        track_id=thing.track_id,
        xyxy=thing.xyxy,
        confidence=0.0,
        label=thing.label,
        first_seen_at_ms=thing.track_started_at_ms,
        observed=False,
        stationary=thing.stationary,
        left=zones,
        dwell_ms=dwell_ms,
    )


def _leaving(thing: Thing) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """All that a thing leaves when it is gone: its zones, and the picture."""
    stays = [stay for stay in thing.stays if stay.counted]
    zones = (*(stay.zone for stay in stays), "")
    return zones, (*(stay.last_in_ms - stay.since_ms for stay in stays), thing.seen_ms - thing.since_ms)


def _finished(state: EngineState, events: tuple[Event, ...], teller: Teller) -> tuple[EngineState, tuple[Event, ...]]:
    """Everything of the frames ends with the last one; what the agent says of the camera goes on."""
    ending = [opened for opened in state.open if opened.event.kind not in health.KINDS]
    kept = tuple(opened for opened in state.open if opened.event.kind in health.KINDS)
    ended = events + tuple(teller.end(opened) for opened in ending)
    return replace(state, things=(), spells=(), open=kept), ended
