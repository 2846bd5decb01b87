"""A whole config that somebody brings: what of it differs from the one in force, and putting that in force."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from console.changes import Changes, ConflictError
from console.overlay import ROUTES, Body, objects_of, with_routes
from console.rights import Who, need_all
from console.store.objects import SETTINGS, Kind, ObjectKey
from contracts.config import DETECT, MOTION, Camera, Config, overlaid
from contracts.config_dump import dump
from contracts.config_file import parse
from contracts.frigate import Note, convert, is_frigate

ORDER: tuple[Kind, ...] = ("camera", "zone", "line", "rule", "arming", "routes", "budget")
Action = Literal["add", "change", "remove"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One object that would be added, changed or removed; `before` and `after` are its JSON, or null."""

    kind: Kind
    camera: str
    name: str
    action: Action
    before: msgspec.Raw
    after: msgspec.Raw

    @property
    def key(self) -> ObjectKey:
        """Which object."""
        return ObjectKey(self.kind, self.camera, self.name)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would do. `sections` differ too, but stand in the site's own file only; `notes` are of an import.

    `digest` names the plan: only what was shown is applied.
    """

    source: Literal["vedette", "frigate"]
    differences: tuple[Difference, ...]
    sections: tuple[str, ...]
    notes: tuple[Note, ...]
    digest: str


class Exchange:
    """The config as a file, out and in."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def export(self, who: Who) -> str:
        """The config in force as YAML; for who may see all of it."""
        _whole(who)
        return dump(self._changes.config())

    def plan(self, who: Who, text: str, *, remove: bool) -> Proposal:
        """What the file (Vedette's YAML or Frigate's) would change; with `remove` also what it doesn't have goes.

        Raises ConfigError with the path of what is wrong in it.
        """
        _whole(who)
        return self._planned(text, remove=remove)[0]

    def apply(self, who: Who, text: str, digest: str, *, remove: bool) -> Proposal:
        """Put in force what `plan` has shown, all or nothing; raises ConflictError where that changed meanwhile."""
        _whole(who)
        plan, bodies = self._planned(text, remove=remove)
        if plan.digest != digest:
            raise ConflictError("something was changed meanwhile: look at the differences again")
        self._changes.put_all(who, bodies, note=f"from a file of {plan.source.capitalize()}")
        return plan

    def _planned(self, text: str, *, remove: bool) -> tuple[Proposal, list[tuple[ObjectKey, Body | None]]]:
        now = self._changes.config()
        foreign = convert(text) if is_frigate(text) else None
        given = foreign.config if foreign else parse(text)
        wanted = _own_values(now, given)
        bodies = _differing(now, wanted, remove=remove, settings=foreign is None)
        before = objects_of(now)
        differences = tuple(
            Difference(
                **key._asdict(),
                action="remove" if body is None else "change" if key in before else "add",
                before=msgspec.Raw(msgspec.json.encode(before.get(key))),
                after=msgspec.Raw(msgspec.json.encode(body)),
            )
            for key, body in bodies
        )
        plan = Proposal(
            source="frigate" if foreign else "vedette",
            differences=differences,
            sections=_sections(now, given) if foreign is None else (),
            notes=foreign.notes if foreign else (),
            digest=hashlib.sha256(msgspec.json.encode(differences)).hexdigest()[:32],
        )
        return plan, bodies


def _whole(who: Who) -> None:
    who.need("configure")
    need_all(who)


def _own_values(now: Config, given: Config) -> Config:
    """The given cameras with what their own file gives all cameras, where the site's says otherwise."""

    def own(camera: Camera) -> Camera:
        detect, motion = overlaid(camera.detect, given.detect, DETECT), overlaid(camera.motion, given.motion, MOTION)
        if detect != overlaid(camera.detect, now.detect, DETECT):
            camera = replace(camera, detect=detect)
        if motion != overlaid(camera.motion, now.motion, MOTION):
            camera = replace(camera, motion=motion)
        return camera

    return replace(given, cameras={name: own(camera) for name, camera in given.cameras.items()})


def _differing(now: Config, wanted: Config, *, remove: bool, settings: bool) -> list[tuple[ObjectKey, Body | None]]:
    """What is new or other in `wanted`, cameras first; then, with `remove`, what it doesn't have, cameras last."""
    before, after = objects_of(now), objects_of(wanted)
    changed: list[tuple[ObjectKey, Body | None]] = [
        (key, body)
        for key, body in after.items()
        if not _same(before.get(key), body) and (key.kind not in SETTINGS or (settings and _is_news(now, key, body)))
    ]
    changed.sort(key=lambda pair: ORDER.index(pair[0].kind))
    gone = [key for key in before if key not in after and key.kind not in SETTINGS] if remove else []
    # A camera takes its zones and lines along.
    gone = [key for key in gone if key.kind in ("camera", "rule") or ObjectKey("camera", key.camera, "") not in gone]
    gone.sort(key=lambda key: -ORDER.index(key.kind))
    return changed + [(key, None) for key in gone]


def _same(before: Body | None, after: Body) -> bool:
    """Whether it is the same; a camera that says no slot is content with the one that it has."""
    if isinstance(before, Camera) and isinstance(after, Camera) and after.slot is None:
        before = replace(before, slot=None)
    return before == after


def _is_news(now: Config, key: ObjectKey, body: Any) -> bool:
    """A new camera's arming is the usual one unless it is in maintenance; routes lead to channels that are here."""
    if key == ROUTES:
        return all(name in now.console.notifications.channels for route in body.routes for name in route.channels)
    return key in objects_of(now) or bool(body.maintenance)


def _sections(now: Config, given: Config) -> tuple[str, ...]:
    """The sections that differ and are no objects of the console; its settings are some."""
    mine = replace(now, site=replace(now.site, arming=given.site.arming))
    mine = replace(mine, console=replace(mine.console, budget=given.console.budget))
    mine = with_routes(mine, given.console.notifications.routes)
    fields = (name for name in Config.__struct_fields__ if name not in ("cameras", "rules", "version"))
    return tuple(name for name in fields if getattr(mine, name) != getattr(given, name))
