"""One camera of Frigate as one of Vedette's: what it looks at, how large and how often, its zones and its objects."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from contracts.config import Camera, Detect, Filter, Motion, Objects, Zone
from contracts.frigate.inputs import inputs_of
from contracts.frigate.ledger import Layers, Part
from contracts.frigate.shapes import LABELS, name_of, number_of, polygon_of, share_of

FPS = 5.0
"""Frigate's own default: `inertia` counts its frames."""
NO_MASKS = (
    "Vedette ignores no motion by place: its masks blacken the picture for everybody, its rules are bound to zones"
)
OBJECT_MASK = "Vedette ignores no objects by place: rules are bound to zones, and what stands still doesn't alert again"


def camera_of(name: str, own: Part, common: Part) -> Camera | None:
    """The camera; None when none of its inputs can be opened. `common` is the whole file."""
    inputs = inputs_of(name, own, common.part("go2rtc").part("streams"))
    if not inputs:
        own.ledger.leave(own.path, "none of its inputs with the role `detect` is an address that Vedette can open")
        return None
    detect = Layers(own.part("detect"), common.part("detect"))
    size = _size(detect)
    fps = _number(detect, "fps")
    enabled = own.get("enabled") is not False and detect.get("enabled") is not False
    objects = objects_of(Layers(own.part("objects"), common.part("objects")), size)
    return Camera(
        inputs=inputs,
        enabled=enabled,
        friendly_name=str(own.get("friendly_name") or ("" if name_of(name) == name else name)),
        detect=_detect(own.part("detect"), size if "height" in own.part("detect") else None),
        motion=_motion(own.part("motion"), size),
        zones=zones_of(own.part("zones"), size, fps or FPS),
        objects=objects,
    )


def detect_of(part: Part) -> Detect:
    """The file's own `detect`, for all cameras."""
    return _detect(part, _size(Layers(part, part)))


def motion_of(part: Part) -> Motion:
    """The file's own `motion`, for all cameras."""
    return _motion(part, None)


def _detect(part: Part, size: tuple[int, int] | None) -> Detect:
    fps = _number(Layers(part, part), "fps")
    height = size[1] if size is not None else None
    if height is not None and not 64 <= height <= 4320:
        part.leave("height", "Vedette looks at pictures of 64 to 4320 lines")
        height = None
    return Detect(fps=fps if fps and fps <= 120 else None, height=height)


def _motion(part: Part, size: tuple[int, int] | None) -> Motion:
    for name in ("threshold", "contour_area"):
        part.leave(name, "Vedette measures motion otherwise (motion.threshold, motion.area): its default is kept")
    masks = part.values.get("mask")
    if masks:
        part.leave("mask", f"{NO_MASKS}. {_as_privacy_mask(masks, size)}".strip())
    enabled = part.get("enabled")
    return Motion(enabled=enabled if isinstance(enabled, bool) else None)


def _as_privacy_mask(masks: Any, size: tuple[int, int] | None) -> str:
    """The mask in Vedette's form, for whoever wants that area black."""
    several = masks if isinstance(masks, list) and any(str(one).count(",") > 1 for one in masks) else [masks]
    try:
        found = [[list(point) for point in polygon_of(one, size)] for one in several]
    except ValueError:
        return ""
    shown = ", ".join(f"mask-{i + 1}: {{coordinates: {one}}}" for i, one in enumerate(found))
    return f"Should nobody see that area: masks: {{{shown}}}"


def zones_of(part: Part, size: tuple[int, int] | None, fps: float) -> dict[str, Zone]:
    """The zones by their names in Vedette; one whose polygon can't be meant is left out."""
    zones: dict[str, Zone] = {}
    for name, one in part.parts():
        try:
            points = polygon_of(one.values.get("coordinates", ""), size)
        except ValueError as error:
            part.leave(name, str(error))
            continue
        one.get("coordinates")
        if name_of(name) != name:
            one.change("coordinates", f"the zone is called `{name_of(name)}`: names have small letters only")
        for key in ("distances", "speed_threshold"):
            one.leave(key, "speeds are measured in body heights, or by the camera's metres_per_pixel")
        one.leave("filters", "filters belong to a camera (objects.filters), not to a zone")
        inertia, loitering = number_of(one.get("inertia")), number_of(one.get("loitering_time"))
        if inertia is not None:
            one.change("inertia", f"{inertia:g} frames at {fps:g} a second are {_seconds(inertia, fps):g} s")
        zone = Zone(coordinates=points, objects=labels_of(one, "objects"))
        if inertia is not None:
            zone = replace(zone, inertia_s=_seconds(inertia, fps))
        zones[name_of(name)] = replace(zone, loitering_time=loitering) if loitering and loitering > 0 else zone
    return zones


def _seconds(frames: float, fps: float) -> float:
    return round(max(0.0, frames) / fps, 2)


def objects_of(layers: Layers, size: tuple[int, int] | None) -> Objects:
    """What is followed, with its filters; Frigate follows persons where nothing else is said."""
    for part in (layers.own, layers.common):
        part.leave("mask", OBJECT_MASK)
    labels = labels_of(layers.having("track"), "track") or ("person",)
    filters: dict[str, Filter] = {}
    for label in layers.layers("filters").names():
        one = layers.layers("filters").layers(label)
        known = LABELS.get(label)
        if known is None:
            layers.layers("filters").own.leave(label, _unknown(label))
            layers.layers("filters").common.leave(label, _unknown(label))
            continue
        filters[known] = _filter(one, size)
    return Objects(track=labels, filters={label: one for label, one in filters.items() if one != Filter()})


def _filter(layers: Layers, size: tuple[int, int] | None) -> Filter:
    for part in (layers.own, layers.common):
        part.leave("mask", OBJECT_MASK)
        for name in ("min_ratio", "max_ratio"):
            part.leave(name, "Vedette does not filter by the box's shape")
    values: dict[str, float] = {}
    for name, default in (("min_area", 0.0), ("max_area", 1.0)):
        part = layers.having(name)
        if name in part:
            try:
                values[name] = share_of(number_of(part.get(name)) or default, size)
                part.change(name, f"{part.values[name]} is {values[name]:g} of the picture")
            except ValueError as error:
                part.leave(name, str(error))
                values[name] = default
    score = number_of(layers.get("min_score")) or 0.0
    return Filter(min_score=min(1.0, max(0.0, score)), **values)


def labels_of(part: Part, name: str) -> tuple[str, ...]:
    """The labels of a list (or one alone) that Vedette knows; the others are noted with the list."""
    given = part.get(name)
    names = [str(one) for one in (given if isinstance(given, list) else [given] if given else [])]
    found = tuple(dict.fromkeys(LABELS[one] for one in names if one in LABELS))
    others = [one for one in names if one not in LABELS]
    if others and found:
        part.change(name, "; ".join(_unknown(one) for one in others))
    elif others:
        part.leave(name, "; ".join(_unknown(one) for one in others))
    return found


def _unknown(label: str) -> str:
    return f"the bundled detector knows no `{label}`"


def _size(detect: Layers) -> tuple[int, int] | None:
    """Width and height in which Frigate looks: what its pixels are of."""
    width, height = detect.get("width"), detect.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def _number(layers: Layers, name: str) -> float | None:
    value = number_of(layers.get(name))
    return value if value and value > 0 else None
