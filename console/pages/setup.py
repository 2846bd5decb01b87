"""The page of cameras, zones and rules: what is in force, changed through the console's versioned objects."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from console.api.cameras import seen_of
from console.changes import Changes, ObjectView
from console.overlay import body_of
from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.forms import KINDS, defaults, forms, written_out
from console.pages.panel import Answer, Panel, Refused
from console.pages.preview import shown_preview
from console.rights import Who
from console.store.objects import Kind, ObjectKey
from console.store.suppressions import SuppressionRow
from contracts.assignment import agents_of
from contracts.config import Arming, Input, Period, Rule
from contracts.decoding import convert, from_json

SHOWN = ("camera", "zone", "line", "rule")


class Setup(Panel, component="setup.js"):
    """The editor."""


class SetupPage:
    """One person's editor."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._parts = visit.desk.parts
        self._changes = self._parts.changes

    async def build(self) -> None:
        """Fill the page."""
        query = self._visit.request.query_params
        start = {
            "cameras": [_camera(self._visit, name) for name in self._visit.desk.config.cameras if self._sees(name)],
            "objects": await self._objects(),
            "site": await self._site(),
            "forms": forms(),
            "defaults": defaults(),
            "kinds": KINDS,
            "agents": agents_of(self._changes.config()),
            "camera": query.get("camera", ""),
            "tab": query.get("tab", ""),
            "rule": query.get("rule", ""),
        }
        calls: dict[str, Answer] = {
            "save": self._save,
            "remove": self._remove,
            "adopt": self._adopt,
            "versions": self._versions,
            "undo": self._undo,
            "try_camera": self._try_camera,
            "try_rule": self._try_rule,
            "plan": self._plan,
            "apply": self._apply,
            "save_site": self._save_site,
            "silenced": self._silenced,
            "lift": self._lift,
            "snoozed": self._snoozed,
            "end_snooze": self._end_snooze,
        }
        Setup(calls, self._visit.check, self._visit.props(texts.SETUP, start))

    def _sees(self, camera: str) -> bool:
        return self._visit.who.sees(camera)

    async def _objects(self) -> list[dict[str, Any]]:
        return await blocking(objects_shown, self._changes, self._visit.who)

    async def _site(self) -> dict[str, Any]:
        return await blocking(site_shown, self._changes, self._visit.who)

    async def _save_site(self, site: dict[str, Any]) -> dict[str, Any]:
        await blocking(change_site, self._changes, self._visit.who, convert(site, SiteArming))
        return await self._site()

    async def _silenced(self) -> list[dict[str, Any]]:
        return [_silence(one) for one in await blocking(self._parts.silences.running, self._visit.who)]

    async def _lift(self, suppression: str) -> list[dict[str, Any]]:
        await blocking(self._parts.silences.lift, self._visit.who, str(suppression))
        return await self._silenced()

    async def _snoozed(self) -> list[dict[str, Any]]:
        found = await blocking(self._parts.snoozes.running, self._visit.who)
        return [msgspec.to_builtins(one) for one in found]

    async def _end_snooze(self, rule: str, camera: str) -> list[dict[str, Any]]:
        await blocking(self._parts.snoozes.end, self._visit.who, str(rule), str(camera))
        return await self._snoozed()

    async def _save(
        self, kind: str, camera: str, name: str, version: int, body: dict[str, Any]
    ) -> list[dict[str, Any]]:
        key = _key(kind, camera, name)
        given = {field: value for field, value in body.items() if value is not None}
        made = body_of(key.kind, msgspec.json.encode(given))
        await blocking(self._changes.put, self._visit.who, key, made, expected=version)
        return await self._objects()

    async def _remove(self, kind: str, camera: str, name: str, version: int) -> list[dict[str, Any]]:
        await blocking(self._changes.remove, self._visit.who, _key(kind, camera, name))
        return await self._objects()

    async def _adopt(self, kind: str, camera: str, name: str) -> list[dict[str, Any]]:
        await blocking(self._changes.adopt, self._visit.who, _key(kind, camera, name))
        return await self._objects()

    async def _undo(self, kind: str, camera: str, name: str) -> list[dict[str, Any]]:
        await blocking(self._changes.undo, self._visit.who, _key(kind, camera, name))
        return await self._objects()

    async def _try_camera(self, camera: str, source: dict[str, Any], agent: str) -> Any:
        asked = convert(source, Input)
        found = await blocking(self._parts.probes.ask, self._visit.who, asked, camera, agent)
        return msgspec.to_builtins(seen_of(found))

    async def _try_rule(self, name: str, rule: dict[str, Any], hours: float) -> dict[str, Any]:
        given = {field: value for field, value in rule.items() if value is not None}
        made: Rule = convert(given, Rule)
        found = await blocking(self._parts.previews.ask, self._visit.who, name or "new", made, float(hours))
        return await blocking(shown_preview, self._visit.desk, found)

    async def _plan(self, text: str, remove: bool) -> Any:
        found = await blocking(self._parts.exchange.plan, self._visit.who, text, remove=bool(remove))
        return from_json(msgspec.json.encode(found), Any)

    async def _apply(self, text: str, digest: str, remove: bool) -> list[dict[str, Any]]:
        await blocking(self._parts.exchange.apply, self._visit.who, text, digest, remove=bool(remove))
        return await self._objects()

    async def _versions(self, kind: str, camera: str, name: str) -> list[dict[str, Any]]:
        found = await blocking(self._changes.versions, self._visit.who, _key(kind, camera, name))
        return [
            {
                "version": one.version,
                "at_ms": one.at_ms,
                "who": one.who,
                "note": one.note,
                "body": None if one.body is None else whole(one.kind, from_json(one.body, Any)),
            }
            for one in found
        ]


async def setup_page(visit: Visit) -> None:
    """What is at /setup."""
    await SetupPage(visit).build()


def objects_shown(changes: Changes, who: Who) -> list[dict[str, Any]]:
    """Cameras, zones, lines and rules as the browser draws them, every field with its value. Blocks."""
    return [_shown(one) for one in changes.views(who) if one.kind in SHOWN]


class SiteArming(msgspec.Struct, frozen=True):
    """When the site's rules may alert, and which cameras are worked on."""

    armed: bool
    maintenance: bool
    schedule: tuple[Period, ...]
    disarmed_zones: tuple[str, ...]
    maintained: tuple[str, ...]


def site_shown(changes: Changes, who: Who) -> dict[str, Any]:
    """The arming of the site and of its cameras, as one form. Blocks."""
    views = {one.camera: from_json(one.body, Arming) for one in changes.views(who) if one.kind == "arming"}
    site = views.pop("")
    shown = SiteArming(
        armed=site.armed,
        maintenance=site.maintenance,
        schedule=site.schedule,
        disarmed_zones=site.disarmed_zones,
        maintained=tuple(camera for camera, arming in views.items() if arming.maintenance),
    )
    told: dict[str, Any] = written_out(shown)
    return told


def change_site(changes: Changes, who: Who, wanted: SiteArming) -> None:
    """Write what differs: the site's arming, and each camera's maintenance. Blocks."""
    for view in [one for one in changes.views(who) if one.kind == "arming"]:
        before = from_json(view.body, Arming)
        if view.camera:
            after = replace(before, maintenance=view.camera in wanted.maintained)
        else:
            fields = ("armed", "maintenance", "schedule", "disarmed_zones")
            after = replace(before, **{name: getattr(wanted, name) for name in fields})
        if after != before:
            changes.put(who, ObjectKey("arming", view.camera, ""), after, expected=view.version)


async def arming_of(visit: Visit) -> dict[str, Any]:
    """Whether the site is armed."""
    found = await blocking(visit.desk.parts.changes.view, visit.who, ObjectKey("arming", "", ""))
    arming = from_json(found.body, Arming)
    return {name: getattr(arming, name) for name in ("armed", "maintenance")} | {
        "schedule": msgspec.to_builtins(arming.schedule)
    }


async def arm(visit: Visit, armed: bool, maintenance: bool) -> dict[str, Any]:
    """Switch the site; its schedule and zones stay."""
    key = ObjectKey("arming", "", "")
    found = await blocking(visit.desk.parts.changes.view, visit.who, key)
    before = from_json(found.body, Arming)
    after = replace(before, armed=bool(armed), maintenance=bool(maintenance))
    await blocking(visit.desk.parts.changes.put, visit.who, key, after, expected=found.version)
    return await arming_of(visit)


def whole(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """An object's body with what it leaves to the defaults; a camera's form knows them itself."""
    if kind == "camera":
        return body
    return defaults()[body["kind"] if kind == "rule" else kind] | body


def _shown(view: ObjectView) -> dict[str, Any]:
    body = from_json(view.body, dict[str, Any])
    return {
        "key": f"{view.kind}/{view.camera}/{view.name}",
        "kind": view.kind,
        "camera": view.camera,
        "name": view.name,
        "origin": view.origin,
        "version": view.version,
        "body": whole(view.kind, body),
    }


def _silence(row: SuppressionRow) -> dict[str, Any]:
    body = row.body
    told = {name: getattr(body, name) for name in ("id", "alert", "rule", "label", "model", "made_at_ms", "until_ms")}
    hours = f"{body.hours.from_}–{body.hours.until}"
    return told | {"camera": row.camera, "verdict": row.verdict, "operator": row.operator, "hours": hours}


def _key(kind: str, camera: str, name: str) -> ObjectKey:
    if kind not in SHOWN:
        raise Refused(f"there is no object of kind {kind[:20]!r}")
    return ObjectKey(kind, camera, name)  # type: ignore[arg-type]


def _camera(visit: Visit, name: str) -> dict[str, Any]:
    masks = visit.desk.config.cameras[name].masks
    return {
        "name": name,
        "title": visit.desk.camera_name(name),
        "masks": [{"name": mask, "points": one.coordinates} for mask, one in masks.items()],
    }
