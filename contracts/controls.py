"""Changes that reach the jobs while they run: zones, lines, rules, arming and models on the `controls` topic."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.config import Arming, Line, Origin, Rule, Zone
from contracts.manifest import ModelManifest
from contracts.messages import Message


class SetZone(msgspec.Struct, frozen=True, kw_only=True, tag="zone"):
    """A zone of a camera is new or changed."""

    camera: str
    name: str
    zone: Zone


class SetLine(msgspec.Struct, frozen=True, kw_only=True, tag="line"):
    """A line of a camera is new or changed."""

    camera: str
    name: str
    line: Line


class SetRule(msgspec.Struct, frozen=True, kw_only=True, tag="rule"):
    """A rule is new or changed: its open alerts end."""

    name: str
    rule: Rule


class SetArming(msgspec.Struct, frozen=True, kw_only=True, tag="arming"):
    """The site, zones of it, or (when `camera` is given) one camera's maintenance mode are switched."""

    arming: Arming
    camera: str = ""


class SetModel(msgspec.Struct, frozen=True, kw_only=True, tag="model"):
    """The detect job takes this model over; `folder` is where its file lies for every task manager."""

    manifest: ModelManifest
    folder: str


class Removed(msgspec.Struct, frozen=True, kw_only=True, tag="removed"):
    """Something is no more. A value, since the jobs' source never sees a tombstone."""

    kind: Literal["zone", "line", "rule"]
    name: str
    camera: str = ""


Change = SetZone | SetLine | SetRule | SetArming | SetModel | Removed


class Control(Message, frozen=True, kw_only=True):
    """One change, in force from frame time `effective_from_ms`; a higher `version` of the same key wins."""

    site: str
    origin: Origin
    version: int
    effective_from_ms: int
    change: Change


def key(change: Change) -> str:
    """The record key, so that compaction keeps the last word on each thing: `kind/camera/name`."""
    match change:
        case SetZone(camera=camera, name=name):
            return f"zone/{camera}/{name}"
        case SetLine(camera=camera, name=name):
            return f"line/{camera}/{name}"
        case SetRule(name=name):
            return f"rule//{name}"
        case SetArming(camera=camera):
            return f"arming/{camera}/"
        case SetModel(manifest=manifest):
            return f"model//{manifest.task}"
        case Removed(kind=kind, camera=camera, name=name):
            return f"{kind}/{camera}/{name}"
