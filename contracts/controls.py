"""Changes while everything runs: for the jobs on `controls`, for the agents on `edge-controls`."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.config import Arming, Camera, Input, Line, Origin, Rule, Zone
from contracts.fields import Count, Id, Millis, Share, Stage
from contracts.manifest import ModelManifest, Task
from contracts.messages import Message
from contracts.suppressions import Suppression


class SetCamera(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """A camera is new or changed, told without its inputs; zones, lines and maintenance are changes of their own."""

    camera: str
    spec: Camera


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
    """The detect job works with this detector or classifier; `folder` is where its file lies for every task manager.

    `everywhere` puts it into service, which ends whatever candidate stood beside. Before that it may be a candidate:
    as `shadow` it looks at `share` of the frames of `cameras` (none: all) and tells nobody but the reports; as `canary`
    its detections are those of `cameras`, and the model in service looks at `share` of the same frames to compare.
    Frames of cameras are chosen by when they were captured: let `effective_from_ms` lie LEAD_MS ahead, so that all
    processes have it loaded by then. Versions are milliseconds since the epoch, like those of all changes by hand.

    `before` is what was in service until then: for WATCH_MS it looks at `share` of the frames too, and comes back by
    itself where the new one does worse. Without it (after a rollback) nothing is held against anything.
    """

    manifest: ModelManifest
    folder: str
    stage: Stage = "everywhere"
    cameras: tuple[Id, ...] = ()
    share: Share = 0.25
    before: ModelManifest | None = None


class EndCandidate(msgspec.Struct, frozen=True, kw_only=True, tag="candidate_end"):
    """The candidate `model` (name@version) is taken back, and what is in service is all there is.

    `in_service` is whether it was in service itself, so that what was there before it is again. `by` is whoever did:
    "rollout-guard" for the stream itself, else a person or program. `reason` is a sentence.
    """

    task: Task
    model: Id
    by: str
    reason: str
    in_service: bool = False


class SetSuppressions(msgspec.Struct, frozen=True, kw_only=True, tag="suppressions"):
    """All that is silenced on a camera from now on: one record a camera, so what has ended leaves nothing behind."""

    camera: str
    suppressions: tuple[Suppression, ...]


class Removed(msgspec.Struct, frozen=True, kw_only=True, tag="removed"):
    """Something is no more. A value, since the jobs' source never sees a tombstone. A camera has no `name`."""

    kind: Literal["camera", "zone", "line", "rule"]
    name: str = ""
    camera: str = ""


Change = SetCamera | SetZone | SetLine | SetRule | SetArming | SetModel | EndCandidate | SetSuppressions | Removed

LEAD_MS = 5_000
"""A detector is read, opened and run once in less, also where several processes share a few cores."""
WATCH_MS = 3_600_000
"""For so long a model that went everywhere is held against the one before it."""


class Control(Message, frozen=True, kw_only=True):
    """One change, in force from frame time `effective_from_ms`; a higher `version` of the same key wins."""

    site: str
    origin: Origin
    version: int
    effective_from_ms: int
    change: Change


def key(change: Change) -> str:  # noqa: C901  one case a kind
    """The record key, so that compaction keeps the last word on each thing: `kind/camera/name`."""
    match change:
        case SetCamera(camera=camera):
            return f"camera/{camera}/"
        case SetZone(camera=camera, name=name):
            return f"zone/{camera}/{name}"
        case SetLine(camera=camera, name=name):
            return f"line/{camera}/{name}"
        case SetRule(name=name):
            return f"rule//{name}"
        case SetArming(camera=camera):
            return f"arming/{camera}/"
        case SetModel(manifest=manifest, stage="everywhere"):
            return f"model//{slot_of(manifest)}"
        case SetModel(manifest=manifest):
            return f"candidate//{slot_of(manifest)}"
        case EndCandidate(task=task):
            return f"candidate//{task}"
        case SetSuppressions(camera=camera):
            return f"suppressions/{camera}/"
        case Removed(kind=kind, camera=camera, name=name):
            return f"{kind}/{camera}/{name}"


def slot_of(manifest: ModelManifest) -> str:
    """The place that only one version at a time can have: of classifiers there is one an attribute."""
    return classifier_slot(manifest.attribute.name) if manifest.attribute is not None else manifest.task


def classifier_slot(attribute: str) -> str:
    """The place of an attribute's classifier."""
    return f"classifier:{attribute}"


def slot_in_names(slot: str) -> str:
    """A slot as it stands in names of files and folders."""
    return slot.replace(":", "-")


class Budget(msgspec.Struct, frozen=True, kw_only=True, tag="budget", gc=False):
    """What one camera may send: overrides its `detect` section until changed again; None leaves a value.

    `share` (0-1) is how much of these rates, or its own: the stream turns it down while it is behind.
    """

    camera: Id
    fps: float | None = None
    detail_fps: float | None = None
    heartbeat_s: float | None = None
    motion_threshold: float | None = None
    motion_area: float | None = None
    share: float = 1.0


class RunCamera(msgspec.Struct, frozen=True, kw_only=True, tag="run_camera"):
    """Its agent (`spec.agent`) reads this camera from now on, as it stands here and not as the agent's file has it.

    The frames from here on have this session or a higher one: whoever read it until now is behind, whatever it still
    sends (edge/sessions.py).
    """

    camera: Id
    spec: Camera
    session: Count = 0


class StopCamera(msgspec.Struct, frozen=True, kw_only=True, tag="stop_camera"):
    """The agent no longer reads this camera, also where its file has it."""

    camera: Id


class ProbeCamera(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """Open this input once and answer on `camera-probes`; after `until_ms` (broker's time) nobody waits any more.

    `agent` is who is asked; none: any that there is.
    """

    id: Id
    source: Input
    until_ms: Millis
    agent: str = ""


EdgeChange = Budget | RunCamera | StopCamera | ProbeCamera


class EdgeControl(Message, frozen=True, kw_only=True, gc=False):
    """A change for the agents of `site`."""

    site: Id
    change: EdgeChange


def edge_key(site: str, change: EdgeChange) -> str:
    """The record key on `edge-controls`: the last word on each camera stays, and of all questions the last."""
    match change:
        case Budget(camera=camera):
            return f"{site}/budget/{camera}"
        case RunCamera(camera=camera) | StopCamera(camera=camera):
            return f"{site}/camera/{camera}"
        case ProbeCamera():
            return f"{site}/probe"
