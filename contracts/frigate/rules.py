"""Frigate's review items as rules: an alert is one of high severity for each of its zones, a detection one of low."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from contracts.config import Camera, Loitering, Rule, Zone, ZoneEntry
from contracts.fields import Severity
from contracts.frigate.cameras import labels_of
from contracts.frigate.ledger import Layers, Part
from contracts.frigate.shapes import LABELS, name_of, number_of

WHOLE = "whole-picture"
WHOLE_ZONE = Zone(coordinates=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
ALERT_LABELS = ("person", "car")
"""What Frigate alerts of where `review.alerts.labels` is not set."""


class Wanted(NamedTuple):
    """One kind of review item of a camera."""

    kind: str
    severity: Severity
    labels: tuple[str, ...]
    zones: tuple[str, ...]


def rules_of(name: str, camera: Camera, own: Part, common: Part) -> tuple[Camera, dict[str, Rule]]:
    """The camera's rules; the camera comes back with a zone over the whole picture where one is needed."""
    review = Layers(own.part("review"), common.part("review"))
    thresholds = _thresholds(Layers(own.part("objects"), common.part("objects")))
    rules: dict[str, Rule] = {}
    for wanted in _wanted(review, camera):
        for zone in wanted.zones or (WHOLE,):
            if zone == WHOLE:
                camera = replace(camera, zones={**camera.zones, WHOLE: WHOLE_ZONE})
            if zone not in camera.zones:
                continue
            for number, (threshold, labels) in enumerate(_by_threshold(_inside(wanted, camera, zone), thresholds)):
                rule = _rule(own, name, zone, wanted, labels, threshold)
                rules[f"{name}-{zone}-{wanted.kind}{f'-{number + 1}' if number else ''}"[:64].strip("-_")] = rule
    return camera, rules


def _wanted(review: Layers, camera: Camera) -> Iterator[Wanted]:
    alerts, detections = review.layers("alerts"), review.layers("detections")
    if alerts.get("enabled") is not False:
        labels = labels_of(alerts.having("labels"), "labels") if alerts.having("labels").values.get("labels") else ()
        yield Wanted("alert", "high", labels or ALERT_LABELS, _zones(alerts))
    # Frigate lists everything else that moves as a detection; only who says more of it has a rule of it.
    if detections.get("enabled") is not False and (detections.own.values or detections.common.values):
        labels = labels_of(detections.having("labels"), "labels")
        yield Wanted("detection", "low", labels or camera.objects.track, _zones(detections))


def _zones(layers: Layers) -> tuple[str, ...]:
    zones = layers.get("required_zones") or []
    return tuple(name_of(str(zone)) for zone in (zones if isinstance(zones, list) else [zones]))


def _inside(wanted: Wanted, camera: Camera, zone: str) -> tuple[str, ...]:
    """The labels that are followed, and that the zone is for."""
    for_zone = camera.zones[zone].objects or camera.objects.track
    return tuple(label for label in wanted.labels if label in camera.objects.track and label in for_zone)


def _thresholds(objects: Layers) -> dict[str, float]:
    filters = objects.layers("filters")
    found = {}
    for label in filters.names():
        value = number_of(filters.layers(label).get("threshold")) if label in LABELS else None
        if value is not None and 0 <= value <= 1:
            part = filters.layers(label).having("threshold")
            part.change("threshold", f"the rules of {LABELS[label]} want a confidence of {value:g}")
            found[LABELS[label]] = value
    return found


def _by_threshold(labels: Iterable[str], thresholds: dict[str, float]) -> list[tuple[float, tuple[str, ...]]]:
    """The labels that share a threshold: a rule has one for all of its labels."""
    groups: dict[float, tuple[str, ...]] = {}
    for label in labels:
        at = thresholds.get(label, 0.0)
        groups[at] = (*groups.get(at, ()), label)
    return list(groups.items())


def _rule(own: Part, name: str, zone: str, wanted: Wanted, labels: tuple[str, ...], threshold: float) -> Rule:
    common = {"cameras": (name,), "labels": labels, "severity": wanted.severity, "min_confidence": threshold}
    if _loiters(own.part("zones"), zone):
        return Loitering(zone=zone, **common)  # type: ignore[arg-type]
    return ZoneEntry(zone=zone, **common)  # type: ignore[arg-type]


def _loiters(zones: Part, zone: str) -> bool:
    """Whether Frigate counts a thing in that zone only when it stays."""
    return any(name_of(name) == zone and bool(one.values.get("loitering_time")) for name, one in zones.parts())
