"""One camera: inputs, gate, masks, zones, lines and what is followed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from contracts.config.base import AgentName, Fps, Fraction, Name, NonNegative, Positive, Spec
from contracts.config.classifiers import Attribute, CameraClassifier
from contracts.config.faces import CameraFaces
from contracts.fields import Point


class Input(Spec, frozen=True, kw_only=True):
    """Where a camera's pictures come from.

    `url`: rtsp://, http(s):// (MJPEG), a file's path, or /dev/videoN. Secrets stand as {ENV_NAME}.
    """

    url: str
    roles: tuple[Literal["detect", "detail"], ...] = ("detect", "detail")
    loop: bool = False
    pace: Literal["real_time", "fast"] = "real_time"
    open_timeout_s: Positive = 10.0
    read_timeout_s: Positive = 5.0


class Detect(Spec, frozen=True, kw_only=True):
    """How many frames are sent, and how large. Unset values of a camera come from the file's `detect`."""

    fps: Fps | None = None
    detail_fps: Annotated[float, Meta(ge=0, le=120)] | None = None
    height: Annotated[int, Meta(ge=64, le=4320)] | None = None
    jpeg_quality: Annotated[int, Meta(ge=30, le=100)] | None = None
    heartbeat_s: Positive | None = None


class Motion(Spec, frozen=True, kw_only=True):
    """The motion gate. `area` is the share of the picture that must change, `linger_s` how long it stays open."""

    enabled: bool | None = None
    threshold: Positive | None = None
    area: Fraction | None = None
    linger_s: NonNegative | None = None


class Mask(Spec, frozen=True, kw_only=True):
    """A polygon that is blackened before the picture leaves the agent."""

    coordinates: tuple[Point, ...]


class Zone(Spec, frozen=True, kw_only=True):
    """A polygon of the picture. A thing is in it when the bottom centre of its box is.

    `inertia_s` is how long it must be in (or out) before that counts, `loitering_time` (s) the default of
    loitering rules, `objects` what the zone is for (empty: everything).
    """

    coordinates: tuple[Point, ...]
    objects: tuple[str, ...] = ()
    inertia_s: NonNegative = 0.3
    loitering_time: NonNegative = 30.0


class Line(Spec, frozen=True, kw_only=True):
    """Two points; going over it from the left of first→second to its right is `in`, the other way `out`."""

    coordinates: tuple[Point, Point]
    objects: tuple[str, ...] = ()


class Filter(Spec, frozen=True, kw_only=True):
    """Which boxes of a label count: least confidence, area as share of the picture."""

    min_score: Fraction = 0.0
    min_area: Fraction = 0.0
    max_area: Fraction = 1.0


class Objects(Spec, frozen=True, kw_only=True):
    """Which labels are followed on this camera."""

    track: tuple[str, ...] = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "bag", "dog", "cat")
    filters: dict[str, Filter] = {}


class CameraLearning(Spec, frozen=True, kw_only=True):
    """Questions about what the detector isn't sure of: from which confidence on (0: none), and how many an hour.

    They are no alarms: nobody is notified, and they wait where they are asked for.
    """

    ask_from: Fraction = 0.0
    questions_per_hour: Annotated[int, Meta(ge=1, le=60)] = 6


class Camera(Spec, frozen=True, kw_only=True):
    """One camera: inputs, gate, masks, zones, lines and what is followed.

    `agent` is the one that reads it, by name; none: the site's only one. `position` is where it stands on the site's
    plan: 0-1 of it, or, when any is beyond, in whatever unit all are in.
    """

    inputs: tuple[Input, ...]
    agent: AgentName | None = None
    enabled: bool = True
    friendly_name: str = ""
    slot: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    position: Point | None = None
    metres_per_pixel: Positive | None = None
    detect: Detect = Detect()
    motion: Motion = Motion()
    masks: dict[Name, Mask] = {}
    zones: dict[Name, Zone] = {}
    lines: dict[Name, Line] = {}
    objects: Objects = Objects()
    faces: CameraFaces = CameraFaces()
    classifiers: dict[Attribute, CameraClassifier] = {}
    learning: CameraLearning = CameraLearning()
    maintenance: bool = False

    def uses(self, classifier: str, *, everywhere: bool) -> bool:
        """Whether this camera uses a classifier: as it says, else as the file says for all."""
        own = self.classifiers.get(classifier)
        return everywhere if own is None or own.enabled is None else own.enabled
