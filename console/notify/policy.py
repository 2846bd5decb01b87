"""What is told to which channel, and why something is not: routes, quiet hours, incidents, cooldown, digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from console.store.rows import SEVERITIES
from contracts.config import AlertmanagerChannel, Notifications, NotifyEvent, Route, within
from contracts.fields import Severity

Reason = Literal["", "collected", "quiet", "cooldown", "grouped", "old", "snoozed", "no_route"]
"""Why a message is not sent, or not at once."""

STATE_VERSION = 1
MINUTE_MS = 60_000
LONGEST_MS = 600_000
"""So old an incident is over, as in the queue: a busy camera would be told of once and never again."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to an alert at `at_ms`. `told` are the channels that were told of its beginning."""

    alert: str
    event: NotifyEvent
    at_ms: int
    camera: str
    rule: str
    severity: Severity
    started_at_ms: int
    snoozed: bool = False
    told: frozenset[str] = frozenset()


class Decision(NamedTuple):
    """One channel is told at `due_at_ms`, or (0) is not; `route` is the place in the config, -1 for none."""

    channel: str
    route: int
    reason: Reason = ""
    due_at_ms: int = 0


class Incident(msgspec.Struct, frozen=True):
    """A route's alerts of one camera that follow each other; `worst` is the severity's place in SEVERITIES."""

    began_at_ms: int
    last_at_ms: int
    worst: int


class Window(msgspec.Struct, frozen=True):
    """A channel's last minute: when messages came, and when the digest that is being collected is due."""

    came_at_ms: tuple[int, ...] = ()
    digest_at_ms: int = 0


class PolicyState(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents by `route/camera`, the last message by `route/rule/camera` (routes by what they say), windows by
    channel.

    `step` deletes what is older than its route's group_s and cooldown_s.
    """

    v: int = STATE_VERSION
    incidents: dict[str, Incident] = {}
    last_at_ms: dict[str, int] = {}
    windows: dict[str, Window] = {}


class Policy:
    """The config's routes; `step` is a pure function of its arguments."""

    def __init__(self, config: Notifications, time_zone: str) -> None:
        self._config = config
        self._zone = time_zone
        # By what they say: a route that was changed begins anew, one that only has another place goes on.
        self._names = tuple(_name(route) for route in config.routes)

    def step(self, state: PolicyState, notice: Notice) -> tuple[PolicyState, tuple[Decision, ...]]:
        """Who is told of `notice`; one decision for each channel that a route named, or one for none."""
        state = self._aged(state, notice.at_ms)
        if notice.event == "end":
            wanted = [Decision(channel, route) for channel, route in self._ends(notice)]
        else:
            state, wanted = self._begins(state, notice)
        done: list[Decision] = []
        for one in wanted:
            if not one.reason:
                state, one = self._paced(state, one, notice.at_ms)
            done.append(one)
        return state, tuple(done)

    def _begins(self, state: PolicyState, notice: Notice) -> tuple[PolicyState, list[Decision]]:
        """Of an alert that is new or escalated."""
        if notice.snoozed:
            return state, [Decision("", -1, "snoozed")]
        if notice.event == "new" and notice.at_ms - notice.started_at_ms > self._config.max_age_s * 1000:
            return state, [Decision("", -1, "old")]
        found: dict[str, Decision] = {}
        for number, route in self._routes(notice):
            state, reason = self._reason(state, number, route, notice)
            for channel in self._open(route):
                mine = "" if reason in ("grouped", "cooldown") and self._groups_itself(channel) else reason
                if channel not in found or found[channel].reason:  # one message, whoever of the routes sends it
                    found[channel] = Decision(channel, number, mine)
        return state, list(found.values()) or [Decision("", -1, "no_route")]

    def _ends(self, notice: Notice) -> Iterator[tuple[str, int]]:
        """The channels that were told of the beginning, and are to be told of the end."""
        left = set(notice.told)
        for number, route in enumerate(self._config.routes):
            for channel in self._open(route):
                asked = "end" in route.events and not self._is_quiet(route, notice)
                if channel in left and (asked or self._groups_itself(channel)):
                    left.discard(channel)
                    yield channel, number

    def _routes(self, notice: Notice) -> Iterator[tuple[int, Route]]:
        """The routes that fit, up to the first that doesn't say `continue`."""
        for number, route in enumerate(self._config.routes):
            fits = (
                notice.event in route.events
                and (not route.severities or notice.severity in route.severities)
                and (not route.cameras or notice.camera in route.cameras)
                and (not route.rules or notice.rule in route.rules)
                and within(route.schedule, notice.at_ms, self._zone)
            )
            if fits:
                yield number, route
                if not route.continue_:
                    return

    def _reason(self, state: PolicyState, number: int, route: Route, notice: Notice) -> tuple[PolicyState, Reason]:
        """Why the route doesn't tell of it ("": it does), and the state after that."""
        if self._is_quiet(route, notice):
            return state, "quiet"
        if notice.event == "escalated":  # nobody has looked: that is news, whatever was told before
            return state, ""
        name = self._names[number]
        camera, thing = f"{name}/{notice.camera}", f"{name}/{notice.rule}/{notice.camera}"
        severity = SEVERITIES.index(notice.severity)
        incident = state.incidents.get(camera)
        if incident is None or notice.at_ms - incident.began_at_ms > LONGEST_MS:
            incident = Incident(notice.at_ms, notice.at_ms, -1)
        reason: Reason = ""
        if severity <= incident.worst:
            reason = "grouped"
        elif incident.worst < 0 and notice.at_ms - state.last_at_ms.get(thing, -(2**62)) < route.cooldown_s * 1000:
            reason = "cooldown"
        known = replace(incident, last_at_ms=notice.at_ms, worst=max(severity, incident.worst))
        last = state.last_at_ms if reason else state.last_at_ms | {thing: notice.at_ms}
        # An incident that a cooldown has silenced is none: what follows is measured by the cooldown, too.
        incidents = state.incidents if reason == "cooldown" else state.incidents | {camera: known}
        return replace(state, incidents=incidents, last_at_ms=last), reason

    def _paced(self, state: PolicyState, one: Decision, at_ms: int) -> tuple[PolicyState, Decision]:
        """The decision with the time at which it is due: now, or with the digest when too many came in a minute."""
        channel = self._config.channels[one.channel]
        if isinstance(channel, AlertmanagerChannel):
            return state, one._replace(due_at_ms=at_ms)
        window = state.windows.get(one.channel, Window())
        came = (*(ms for ms in window.came_at_ms if at_ms - ms < MINUTE_MS), at_ms)
        due_at_ms, digest_at_ms = at_ms, window.digest_at_ms
        if len(came) > channel.max_per_minute:
            if digest_at_ms <= at_ms:
                digest_at_ms = at_ms + round(channel.digest_s * 1000)
            due_at_ms, one = digest_at_ms, one._replace(reason="collected")
        window = Window(came[-channel.max_per_minute - 1 :], digest_at_ms)
        return replace(state, windows=state.windows | {one.channel: window}), one._replace(due_at_ms=due_at_ms)

    def _aged(self, state: PolicyState, at_ms: int) -> PolicyState:
        """Without what no alert can belong to any more; routes that the config has no more lose theirs."""
        routes = dict(zip(self._names, self._config.routes, strict=True))

        def kept(key: str, since_ms: int, what: Literal["group_s", "cooldown_s"]) -> bool:
            route = routes.get(key.partition("/")[0])
            return route is not None and at_ms - since_ms < getattr(route, what) * 1000

        return replace(
            state,
            incidents={key: one for key, one in state.incidents.items() if kept(key, one.last_at_ms, "group_s")},
            last_at_ms={key: ms for key, ms in state.last_at_ms.items() if kept(key, ms, "cooldown_s")},
            windows={name: one for name, one in state.windows.items() if name in self._config.channels},
        )

    def _open(self, route: Route) -> Iterator[str]:
        return (name for name in route.channels if self._config.channels[name].enabled)

    def _is_quiet(self, route: Route, notice: Notice) -> bool:
        quiet = bool(route.quiet_hours) and within(route.quiet_hours, notice.at_ms, self._zone)
        return quiet and notice.severity not in route.quiet_except

    def _groups_itself(self, channel: str) -> bool:
        return isinstance(self._config.channels[channel], AlertmanagerChannel)


def _name(route: Route) -> str:
    return hashlib.sha256(msgspec.json.encode(route)).hexdigest()[:12]
