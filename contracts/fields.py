"""What the fields of messages may hold: numbers with bounds, points and boxes, and words of a fixed list."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Lane = Literal["live", "late"]
# Bounds keep NaN, infinity and absurd sizes out: what decodes is safe to calculate with.
Px = Annotated[float, Meta(ge=-1e6, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]
Real = Annotated[float, Meta(ge=-1e12, le=1e12)]
Size = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Millis = Annotated[int, Meta(ge=0, le=253_370_764_799_999)]  # until the year 9999: a local time in each zone
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Xyxy = tuple[Px, Px, Px, Px]
Point = tuple[Px, Px]
Stage = Literal["shadow", "canary", "everywhere"]
Severity = Literal["info", "low", "medium", "high", "critical"]
Tamper = Literal["frozen", "black", "covered", "blurred"]
Answer = Literal[
    "acknowledge",
    "verdict",
    "assign",
    "escalate",
    "comment",
    "snooze",
    "hold",
    "release",
    "not_person",
    "is_person",
    "denial_undone",
    "missed",
]
# W3C Trace Context, 55 characters; "" where nothing is traced. What else stands there belongs to no trace.
Traceparent = Annotated[str, Meta(max_length=55)]
Verdict = Literal["true", "false", "nuisance"]
QUESTION = "question"
"""An alert's kind, and the name in its rule's place, where somebody is only asked whether something was there."""
IdentityDecision = Literal["identified", "unknown", "unsure"]
