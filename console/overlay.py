"""The config of the file with the console's versions laid over it: what is in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from console.store.objects import Kind, ObjectKey, ObjectVersion
from contracts.config import AlertBudget, Arming, Camera, Config, Line, Route, Rule, Spec, Zone
from contracts.decoding import JsonDecoder, json_decoder


class Routes(Spec, frozen=True, kw_only=True):
    """The routes of notifications, in their order; the channels that they lead to are the file's."""

    routes: tuple[Route, ...] = ()


Body = Camera | Zone | Line | Rule | Arming | Routes | AlertBudget

T = TypeVar("T")

_DECODERS: dict[Kind, JsonDecoder[Any]] = {
    "camera": json_decoder(Camera),
    "zone": json_decoder(Zone),
    "line": json_decoder(Line),
    "rule": json_decoder(Rule),
    "arming": json_decoder(Arming),
    "routes": json_decoder(Routes),
    "budget": json_decoder(AlertBudget),
}

BUDGET = ObjectKey("budget", "", "")
ROUTES = ObjectKey("routes", "", "")


def body_of(kind: Kind, text: str | bytes) -> Body:
    """An object's part of the config out of JSON; raises msgspec.MsgspecError."""
    body: Body = _DECODERS[kind].decode(text)
    return body


def objects_of(config: Config) -> dict[ObjectKey, Body]:
    """The settings and every camera, zone, line and rule of a config, by key.

    A camera's body has no zones and lines, and its own arming is its maintenance: they are objects of their own.
    """
    found: dict[ObjectKey, Body] = {
        ObjectKey("arming", "", ""): config.site.arming,
        ROUTES: Routes(routes=config.console.notifications.routes),
        BUDGET: config.console.budget,
    }
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
        elif isinstance(body, Routes):
            config = with_routes(config, _led(config, body))
        elif isinstance(body, AlertBudget):
            config = replace(config, console=replace(config.console, budget=body))
    return config


def with_routes(config: Config, routes: tuple[Route, ...]) -> Config:
    """The config with these routes for its notifications."""
    notifications = replace(config.console.notifications, routes=routes)
    return replace(config, console=replace(config.console, notifications=notifications))


def _led(config: Config, kept: Routes) -> tuple[Route, ...]:
    """The routes without channels that the file has no more."""
    known = config.console.notifications.channels
    led = (replace(route, channels=tuple(name for name in route.channels if name in known)) for route in kept.routes)
    return tuple(route for route in led if route.channels)


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
