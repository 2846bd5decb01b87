"""The config of a site as typed values: what may stand in the YAML file, with its defaults.

Frigate's nouns where it has them. Coordinates are 0-1 of the picture. `contracts/config_file.py` reads and checks it.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from contracts.messages import Point, Severity

# `$` alone would let a line feed follow, and names become topics and folders.
_NAME = "a name of a-z, 0-9, - and _ (64 at most, - and _ not first or last)"
Name = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$(?!\n)", description=_NAME)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
# Up to 1e9: 31 years in seconds. What is beyond is a slip of the keyboard.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NonNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fps = Annotated[float, Meta(gt=0, le=120)]
_CLOCK = r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$(?!\n)"
Clock = Annotated[str, Meta(pattern=_CLOCK, description="a time like 22:00")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Origin = Literal["file", "console"]

LABELS = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "bag", "dog", "cat")
"""What the bundled detector knows."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the config. Unknown keys are refused in the file and ignored on the wire."""


class Period(Spec, frozen=True, kw_only=True):
    """A part of the week in the site's time zone; `until` before `from` runs over midnight."""

    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    from_: Clock = msgspec.field(name="from", default="00:00")
    until: Clock = "24:00"


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


class Camera(Spec, frozen=True, kw_only=True):
    """One camera: inputs, gate, masks, zones, lines and what is followed."""

    inputs: tuple[Input, ...]
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
    maintenance: bool = False


class RuleBase(Spec, frozen=True, kw_only=True, tag_field="kind"):
    """What every rule has. Empty `cameras` means all; `labels` empty means all that the camera follows."""

    cameras: tuple[str, ...] = ()
    labels: tuple[str, ...] = ("person",)
    schedule: tuple[Period, ...] = ()
    min_confidence: Fraction = 0.0
    severity: Severity = "medium"
    cooldown_s: NonNegative = 30.0
    instructions: str = ""
    enabled: bool = True
    always_armed: bool = False


class ZoneEntry(RuleBase, frozen=True, kw_only=True, tag="zone_entry"):
    """Something came into the zone (intrusion)."""

    zone: str


class Loitering(RuleBase, frozen=True, kw_only=True, tag="loitering"):
    """Something stays in the zone for `after_s` (default: the zone's `loitering_time`)."""

    zone: str
    after_s: Positive | None = None


class LineCrossing(RuleBase, frozen=True, kw_only=True, tag="line_crossing"):
    """Something went over the line in one of the wanted directions."""

    line: str
    direction: Literal["in", "out", "both"] = "both"


class WrongWay(RuleBase, frozen=True, kw_only=True, tag="wrong_way"):
    """Something in the zone moves against `heading` (degrees, 0 = right, 90 = down) for `after_s`."""

    zone: str
    heading: Annotated[float, Meta(ge=0, lt=360)]
    tolerance: Annotated[float, Meta(gt=0, le=90)] = 60.0
    after_s: Positive = 1.0
    min_speed: Positive = 0.2


class Crowd(RuleBase, frozen=True, kw_only=True, tag="crowd"):
    """At least `count` things in the zone for `after_s`."""

    zone: str
    count: Annotated[int, Meta(ge=1, le=10_000)]
    after_s: NonNegative = 5.0


class Running(RuleBase, frozen=True, kw_only=True, tag="running"):
    """Faster than `speed` for `after_s`: body heights a second, or metres where the camera is calibrated."""

    zone: str = ""
    speed: Positive = 1.5
    unit: Literal["heights", "metres"] = "heights"
    after_s: Positive = 0.7


class Absence(RuleBase, frozen=True, kw_only=True, tag="absence"):
    """Nothing of the labels in the zone for `after_s`."""

    zone: str
    after_s: Positive = 60.0


class LeftObject(RuleBase, frozen=True, kw_only=True, tag="left_object"):
    """A thing of `labels` stands still for `after_s` after a person who was within `near` body heights went away."""

    zone: str = ""
    labels: tuple[str, ...] = ("bag",)
    after_s: Positive = 20.0
    near: Positive = 1.0


class CameraDown(RuleBase, frozen=True, kw_only=True, tag="camera_down"):
    """The camera delivers nothing, or its agent is silent for `silent_s`."""

    labels: tuple[str, ...] = ()
    silent_s: Positive = 10.0
    severity: Severity = "high"
    always_armed: bool = True


class TamperRule(RuleBase, frozen=True, kw_only=True, tag="tamper"):
    """The picture is frozen, black, covered or blurred."""

    labels: tuple[str, ...] = ()
    states: tuple[Literal["frozen", "black", "covered", "blurred"], ...] = ("frozen", "black", "covered", "blurred")
    severity: Severity = "high"
    always_armed: bool = True


class Anomaly(RuleBase, frozen=True, kw_only=True, tag="anomaly"):
    """A window's value is `score` robust deviations away from the camera's own baseline for that hour of the week."""

    labels: tuple[str, ...] = ()
    zone: str = ""
    score: Positive = 4.0
    severity: Severity = "low"


Rule = (
    ZoneEntry
    | Loitering
    | LineCrossing
    | WrongWay
    | Crowd
    | Running
    | Absence
    | LeftObject
    | CameraDown
    | TamperRule
    | Anomaly
)


class Arming(Spec, frozen=True, kw_only=True):
    """When rules may alert: the site's periods (empty = always), zones that are off, maintenance."""

    armed: bool = True
    schedule: tuple[Period, ...] = ()
    disarmed_zones: tuple[str, ...] = ()
    maintenance: bool = False


class Site(Spec, frozen=True, kw_only=True):
    """The place that is watched."""

    name: Name = "site"
    friendly_name: str = ""
    time_zone: str = "UTC"
    arming: Arming = Arming()


class Kafka(Spec, frozen=True, kw_only=True):
    """The broker. Without `bootstrap_servers` the embedded one is started on `port` (null: any that is free)."""

    bootstrap_servers: tuple[str, ...] = ()
    port: Annotated[int, Meta(ge=1, le=65535)] | None = 19092
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 2
    heap_mb: Annotated[int, Meta(ge=128, le=1_048_576)] = 384


class Spool(Spec, frozen=True, kw_only=True):
    """The agent's disk for frames that the broker can't take."""

    max_mb: Annotated[int, Meta(ge=1, le=2**30)] = 1024
    late_fps: Positive = 20.0


class Edge(Spec, frozen=True, kw_only=True):
    """The agent. Its metrics are served on `metrics_host` (0.0.0.0: to all, as in a container)."""

    spool: Spool = Spool()
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 19101


class Stream(Spec, frozen=True, kw_only=True):
    """The jobs. `model` is a manifest's path (default: the bundled detector); `metrics_host` as the agent's."""

    model: str = ""
    parallelism: Annotated[int, Meta(ge=1, le=256)] = 1
    batch_max: Annotated[int, Meta(ge=1, le=64)] = 8
    batch_wait_ms: NonNegative = 3.0
    checkpoint_interval_s: Positive = 1.0
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 19102
    heap_mb: Annotated[int, Meta(ge=256, le=1_048_576)] = 448


class Analytics(Spec, frozen=True, kw_only=True):
    """Windows and baselines. A record more than `lateness_s` after its window's end is counted, not added."""

    window_s: Positive = 60.0
    lateness_s: NonNegative = 10.0
    baseline_weeks: Positive = 4.0
    min_windows: Annotated[int, Meta(ge=2, le=1_000_000)] = 30


class EvidenceStore(Spec, frozen=True, kw_only=True):
    """Where pictures of alerts are kept (empty: in the state folder), and for how long."""

    folder: str = ""
    keep_days: Positive = 30.0


class EscalateAfter(Spec, frozen=True, kw_only=True):
    """How many seconds an alert of each severity waits for its acknowledgement before it is escalated; 0 is never."""

    critical: NonNegative = 60.0
    high: NonNegative = 300.0
    medium: NonNegative = 1800.0
    low: NonNegative = 0.0
    info: NonNegative = 0.0


class Console(Spec, frozen=True, kw_only=True):
    """The web console and its API.

    `database` is an SQLAlchemy URL, e.g. postgresql+psycopg://vedette:{DB_PASSWORD}@db/vedette (empty: SQLite in the
    state folder). `tls_certificate` and `tls_key` are PEM files; behind a proxy that speaks TLS itself, `address` is
    the https:// address that browsers use. `keep_days` is how long alerts and their answers are kept, `session_hours`
    how long a login lasts.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 18080
    address: str = ""
    database: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    session_hours: Positive = 12.0
    keep_days: Positive = 365.0
    escalate_after_s: EscalateAfter = EscalateAfter()


class Config(Spec, frozen=True, kw_only=True):
    """The whole file."""

    cameras: dict[Name, Camera]
    site: Site = Site()
    detect: Detect = Detect()
    motion: Motion = Motion()
    rules: dict[Name, Rule] = {}
    kafka: Kafka = Kafka()
    edge: Edge = Edge()
    stream: Stream = Stream()
    analytics: Analytics = Analytics()
    evidence: EvidenceStore = EvidenceStore()
    console: Console = Console()
    version: Literal[1] = 1


DETECT = Detect(fps=10.0, detail_fps=2.0, height=480, jpeg_quality=85, heartbeat_s=5.0)
MOTION = Motion(enabled=True, threshold=16.0, area=0.0005, linger_s=3.0)
"""`threshold` is MOG2's own default for its squared distance; `area` 0.0005 of 640x480 is a 12-pixel square."""

S = TypeVar("S", bound=Spec)


def overlaid(*layers: S) -> S:
    """The first value that is set, field by field: what a camera says before what the file says before the default."""
    values = {
        name: next((value for layer in layers if (value := getattr(layer, name)) is not None), None)
        for name in layers[0].__struct_fields__
    }
    return type(layers[0])(**values)


def detect_of(config: Config, camera: str) -> Detect:
    """The camera's `detect` with every value set."""
    return overlaid(config.cameras[camera].detect, config.detect, DETECT)


def motion_of(config: Config, camera: str) -> Motion:
    """The camera's `motion` with every value set."""
    return overlaid(config.cameras[camera].motion, config.motion, MOTION)
