"""What one camera is to do right now: the config's values, and the changes that `edge-controls` bring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from contracts.config import Config, Input, detect_of, motion_of
from contracts.controls import Budget
from contracts.fields import Point

Polygon = tuple[Point, ...]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """One camera's settings, all set. `masks` are polygons in 0-1 of the picture."""

    site: str
    camera: str
    fps: float
    detail_fps: float
    height: int
    jpeg_quality: int
    heartbeat_s: float
    gate: bool
    motion_threshold: float
    motion_area: float
    linger_s: float
    masks: tuple[Polygon, ...] = ()
    traced_share: float = 0.0


def settings_of(config: Config, camera: str) -> CameraSettings:
    """The settings that the file gives `camera`."""
    detect, motion = detect_of(config, camera), motion_of(config, camera)
    return CameraSettings(
        site=config.site.name,
        camera=camera,
        fps=_given(detect.fps),
        detail_fps=_given(detect.detail_fps),
        height=_given(detect.height),
        jpeg_quality=_given(detect.jpeg_quality),
        heartbeat_s=_given(detect.heartbeat_s),
        gate=_given(motion.enabled),
        motion_threshold=_given(motion.threshold),
        motion_area=_given(motion.area),
        linger_s=_given(motion.linger_s),
        masks=tuple(mask.coordinates for mask in config.cameras[camera].masks.values()),
        traced_share=config.edge.traced_share,
    )


def input_of(config: Config, camera: str, role: str) -> Input | None:
    """The camera's input with `role`, if one has it."""
    return next((source for source in config.cameras[camera].inputs if role in source.roles), None)


def changed(base: CameraSettings, change: Budget) -> CameraSettings:
    """`base`, the camera's own word, with a budget's laid over it; None leaves a value as it is.

    Raises ValueError for values that make no sense: a change comes from outside and is not checked like the file.
    """
    share = _within("share", change.share, 1.0, 0.01, 1)
    return replace(
        base,
        fps=share * _within("fps", change.fps, base.fps, 0.01, 120),
        detail_fps=share * _within("detail_fps", change.detail_fps, base.detail_fps, 0, 120),
        heartbeat_s=_within("heartbeat_s", change.heartbeat_s, base.heartbeat_s, 0.01, 86_400),
        motion_threshold=_within("motion_threshold", change.motion_threshold, base.motion_threshold, 0.01, 1e6),
        motion_area=_within("motion_area", change.motion_area, base.motion_area, 0, 1),
    )


def _within(name: str, value: float | None, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    if not low <= value <= high:  # also false for NaN
        raise ValueError(f"{name} = {value} is outside {low:g} to {high:g}")
    return value


def _given(value: T | None) -> T:
    assert value is not None, "detect_of and motion_of set every value"
    return value
