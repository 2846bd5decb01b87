"""What one camera's rules are, compiled from the config and changed by controls; nothing here moves with the frames."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from contracts.config import (
    Arming,
    Camera,
    CameraDown,
    Config,
    Line,
    LineCrossing,
    ReturningUnknown,
    Rule,
    TamperRule,
    Zone,
    detect_of,
)
from contracts.controls import (
    Change,
    Control,
    EndCandidate,
    Removed,
    SetArming,
    SetCamera,
    SetLine,
    SetModel,
    SetRule,
    SetSuppressions,
    SetZone,
)
from contracts.errors import ConfigError
from contracts.fields import Point
from contracts.suppressions import Suppression

GAP_MS = 10_000
"""A frame says nothing about more than this before it: a still scene sends a heartbeat every 5 s, and twice that is
still one look at an unchanged picture. What is beyond was not observed and does not count as time."""


@dataclass(frozen=True)
class ActiveRule:
    """One rule in force on a camera; `place` is its zone or line ("" = the whole picture), `area` the outline."""

    name: str
    version: int
    rule: Rule
    place: str
    area: tuple[Point, ...]

    @property
    def kind(self) -> str:
        """The rule's kind as in the config."""
        return str(type(self.rule).__struct_config__.tag)


@dataclass(frozen=True)
class CameraRules:
    """All that rules and alerts of one camera depend on; `rules` are those that name this camera, or none.

    `suppressions` are no part of its version: what a rule means stays the same while some of it is silenced.
    """

    site: str
    camera: str
    time_zone: str
    arming: Arming
    spec: Camera
    rules: tuple[tuple[str, Rule], ...]
    gap_ms: int = GAP_MS
    suppressions: tuple[Suppression, ...] = ()

    @cached_property
    def active(self) -> tuple[ActiveRule, ...]:
        """The enabled rules whose zone or line exists here, by name."""
        found = (self._activate(name, rule) for name, rule in self.rules if rule.enabled)
        return tuple(rule for rule in found if rule is not None)

    @cached_property
    def config_version(self) -> str:
        """A short hash of the whole: the same rules have the same one, wherever and whenever they were compiled."""
        parts = (self.site, self.camera, self.time_zone, self.arming, self.spec, self.rules)
        return _digest(parts)[:12]

    @property
    def maintenance(self) -> bool:
        """Whether the camera, or its site, is being worked on."""
        return self.spec.maintenance or self.arming.maintenance

    def find(self, name: str, version: int) -> ActiveRule | None:
        """The rule in force with this name and version."""
        return next((rule for rule in self.active if (rule.name, rule.version) == (name, version)), None)

    def changed(self, control: Control) -> CameraRules:
        """The rules after one change; the same object when it does not concern this camera.

        What the camera itself is, the Rulebook says before.
        """
        change: Change = control.change
        match change:
            case SetRule(name=name, rule=rule):
                others = tuple(pair for pair in self.rules if pair[0] != name)
                mine = ((name, rule),) if applies(rule, self.camera) else ()
                return replace(self, rules=tuple(sorted(others + mine, key=_name_of)))
            case SetArming(arming=arming, camera=""):
                return replace(self, arming=arming)
            case SetModel() | EndCandidate() | SetCamera() | Removed(kind="camera"):
                return self
            case SetSuppressions(camera=camera, suppressions=suppressions):
                return replace(self, suppressions=suppressions) if camera == self.camera else self
            case Removed(kind="rule", name=name):
                return replace(self, rules=tuple(pair for pair in self.rules if pair[0] != name))
        return self._place_changed(change) if change.camera == self.camera else self

    def _place_changed(self, change: SetZone | SetLine | SetArming | Removed) -> CameraRules:
        zones, lines, maintenance = dict(self.spec.zones), dict(self.spec.lines), self.spec.maintenance
        match change:
            case SetZone(name=name, zone=zone):
                zones[name] = zone
            case SetLine(name=name, line=line):
                lines[name] = line
            case SetArming(arming=arming):
                maintenance = arming.maintenance
            case Removed(kind=kind, name=name):
                (zones if kind == "zone" else lines).pop(name, None)
        spec = msgspec.structs.replace(self.spec, zones=zones, lines=lines, maintenance=maintenance)
        return replace(self, spec=spec)

    def _activate(self, name: str, rule: Rule) -> ActiveRule | None:
        """The rule with its place and its version: a hash of both, so that ids change when the meaning does."""
        place: str
        shape: Zone | Line | None
        if isinstance(rule, LineCrossing):
            place, shape = rule.line, self.spec.lines.get(rule.line)
        elif isinstance(rule, CameraDown | TamperRule | ReturningUnknown) or not rule.zone:
            return ActiveRule(name, _version(rule, None), rule, "", ())
        else:
            place, shape = rule.zone, self.spec.zones.get(rule.zone)
        if shape is None:
            return None
        return ActiveRule(name, _version(rule, shape), rule, place, tuple(shape.coordinates))


def compile_rules(config: Config, camera: str) -> CameraRules:
    """The rules of one camera out of the whole config; ConfigError when there is no such camera."""
    if camera not in config.cameras:
        raise ConfigError(f"cameras.{camera}", "there is no such camera")
    rules = sorted(((name, rule) for name, rule in config.rules.items() if applies(rule, camera)), key=_name_of)
    heartbeat_s = detect_of(config, camera).heartbeat_s or 0.0
    return CameraRules(
        site=config.site.name,
        camera=camera,
        time_zone=config.site.time_zone,
        arming=config.site.arming,
        spec=config.cameras[camera],
        rules=tuple(rules),
        gap_ms=max(GAP_MS, round(2000 * heartbeat_s)),
    )


def applies(rule: Rule, camera: str) -> bool:
    """Whether the rule speaks of this camera."""
    return not rule.cameras or camera in rule.cameras


def _name_of(pair: tuple[str, Rule]) -> str:
    return pair[0]


def _version(rule: Rule, shape: object) -> int:
    """31 bits of a hash; `cameras` is left out, since adding a camera changes nothing for the others."""
    return int(_digest((msgspec.structs.replace(rule, cameras=()), shape))[:8], 16) & 0x7FFF_FFFF


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
