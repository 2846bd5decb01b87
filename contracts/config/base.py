"""What the parts of the config are made of: names, numbers with bounds, periods of the week."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# `$` alone would let a line feed follow, and names become topics and folders.
_NAME = "a name of a-z, 0-9, - and _ (64 at most, - and _ not first or last)"
Name = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$(?!\n)", description=_NAME)]
_AGENT = "a name of letters, 0-9, -, _ and . (128 at most), as machines have"
AgentName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$(?!\n)", description=_AGENT)]
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
