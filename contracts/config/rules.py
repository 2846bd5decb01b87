"""The rules: what each kind looks for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from contracts.config.base import Fraction, NonNegative, Period, Positive, Spec
from contracts.config.classifiers import Attribute
from contracts.fields import Severity


class RuleBase(Spec, frozen=True, kw_only=True, tag_field="kind"):
    """What every rule has. Empty `cameras` means all; `labels` empty means all that the camera follows.

    With `attributes` only things count of which the classifiers say these values; who is not sure yet doesn't.
    """

    cameras: tuple[str, ...] = ()
    labels: tuple[str, ...] = ("person",)
    attributes: dict[Attribute, str] = {}
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


class KnownPerson(RuleBase, frozen=True, kw_only=True, tag="known_person"):
    """Somebody of the gallery is seen: a watch-list match, or a known person where or when they may not be.

    `people` are ids or names, `groups` those of the gallery; with neither everybody who is enrolled counts. Who is of
    `except_groups` never does.
    """

    zone: str = ""
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    except_groups: tuple[str, ...] = ()
    severity: Severity = "high"


class UnknownPerson(RuleBase, frozen=True, kw_only=True, tag="unknown_person"):
    """Somebody is seen whose face was good enough to be known by, and who is nobody of the gallery."""

    zone: str = ""


class ReturningUnknown(RuleBase, frozen=True, kw_only=True, tag="returning_unknown"):
    """The same unknown person came `times` times within `days`, over all of the rule's cameras."""

    times: Annotated[int, Meta(ge=2, le=100)] = 3
    days: Positive = 7.0


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
    | KnownPerson
    | UnknownPerson
    | ReturningUnknown
)
