"""The config of the file with the console's versions laid over it: what is in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from console.store.objects import Kind, ObjectKey, ObjectVersion
from contracts.config import Arming, Camera, Config, Line, Rule, Zone

Body = Camera | Zone | Line | Rule | Arming

T = TypeVar("T")

_DECODERS: dict[Kind, msgspec.json.Decoder[Any]] = {
    "camera": msgspec.json.Decoder(Camera),
    "zone": msgspec.json.Decoder(Zone),
    "line": msgspec.json.Decoder(Line),
    "rule": msgspec.json.Decoder(Rule),
    "arming": msgspec.json.Decoder(Arming),
}


def body_of(kind: Kind, text: str | bytes) -> Body:
    """An object's part of the config out of JSON; raises msgspec.MsgspecError."""
    body: Body = _DECODERS[kind].decode(text)
    return body


def objects_of(config: Config) -> dict[ObjectKey, Body]:
    """The arming and every camera, zone, line and rule of a config, by key.

    A camera's body has no zones and lines, and its own arming is its maintenance: they are objects of their own.
    """
    found: dict[ObjectKey, Body] = {ObjectKey("arming", "", ""): config.site.arming}
    for name, camera in config.cameras.items():
        found[ObjectKey("camera", name, "")] = replace(camera, zones={}, lines={}, maintenance=False)
        found[ObjectKey("arming", name, "")] = Arming(maintenance=camera.maintenance)
        found |= {ObjectKey("zone", name, zone): body for zone, body in camera.zones.items()}
        found |= {ObjectKey("line", name, line): body for line, body in camera.lines.items()}
    return found | {ObjectKey("rule", "", rule): body for rule, body in config.rules.items()}


def laid_over(config: Config, versions: Iterable[ObjectVersion]) -> Config:
    """The config after the console's changes; what belongs to cameras that are no more is left out."""
    # Cameras first: the others are parts of them.
    for one in sorted(versions, key=lambda one: one.kind != "camera"):
        body = body_of(one.kind, one.body) if one.body is not None else None
        if one.kind == "camera":
            config = replace(config, cameras=_with(config.cameras, one.camera, _whole(config, one.camera, body)))
        elif one.camera and one.camera in config.cameras:
            camera = _changed(config.cameras[one.camera], one, body)
            config = replace(config, cameras=config.cameras | {one.camera: camera})
        elif isinstance(body, Arming) and not one.camera:
            config = replace(config, site=replace(config.site, arming=body))
        elif one.kind == "rule":
            config = replace(config, rules=_with(config.rules, one.name, body))
    return config


def _whole(config: Config, name: str, body: Body | None) -> Body | None:
    """The camera of that body with the zones, lines and maintenance that the file gives it."""
    before = config.cameras.get(name)
    if not isinstance(body, Camera) or before is None:
        return body
    return replace(body, zones=before.zones, lines=before.lines, maintenance=before.maintenance)


def _changed(camera: Camera, one: ObjectVersion, body: Body | None) -> Camera:
    match one.kind:
        case "zone":
            return replace(camera, zones=_with(camera.zones, one.name, body))
        case "line":
            return replace(camera, lines=_with(camera.lines, one.name, body))
        case _:
            return replace(camera, maintenance=isinstance(body, Arming) and body.maintenance)


def _with(known: Mapping[str, Any], name: str, body: Body | None) -> dict[str, Any]:
    others = {key: value for key, value in known.items() if key != name}
    return others if body is None else others | {name: body}
