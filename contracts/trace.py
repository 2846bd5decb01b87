"""A sampled frame's way from shutter to notification: where it stands (W3C Trace Context), and the stages it passed.

Ids are hashes of what they are about, so a stage that is done again after a restart is the same span once more, and no
part has to keep one open. `traceparent` is "" for a frame that isn't sampled; what follows from it is "" then, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Attributes = Mapping[str, str | int | float]
Stage = Literal["capture", "publish", "detect", "inference", "decide", "alert", "store", "notify"]

_FORM = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-01")
_SPREAD, _MASK = 0x9E3779B1, 2**32 - 1
"""Knuth's multiplicative hash: consecutive numbers come out evenly spread over the range."""


@dataclass(frozen=True, slots=True)
class Span:
    """One stage that is over: its own traceparent and the one that it goes on from ("" for the first)."""

    stage: Stage
    traceparent: str
    parent: str
    begun_ms: int
    ended_ms: int
    attributes: Attributes = field(default_factory=dict)


def sampled(index: int, share: float) -> bool:
    """Whether the picture with this index is among the share (0-1) that is traced; the same at each call."""
    return share > 0 and (index * _SPREAD & _MASK) < share * (_MASK + 1)


def first(site: str, camera: str, session: int, index: int, captured_at_ms: int) -> str:
    """The traceparent of a frame's capture, where its trace begins."""
    trace = _digest(f"{site}/{camera}/{session}/{index}/{captured_at_ms}", 16)
    return f"00-{trace}-{_digest(trace + 'capture', 8)}-01"


def child(parent: str, stage: Stage, *which: object) -> str:
    """The traceparent of a stage that goes on from `parent`; `which` tells several of a kind apart.

    "" where there is no trace, or no traceparent of the form that we write.
    """
    ids = ids_of(parent)
    return "" if ids is None else f"00-{ids[0]}-{_digest('/'.join(map(str, (*ids, stage, *which))), 8)}-01"


def ids_of(traceparent: str) -> tuple[str, str] | None:
    """The trace's id (32 hex digits) and the span's (16); None where there is none."""
    found = _FORM.fullmatch(traceparent) if traceparent else None
    return None if found is None else (found[1], found[2])


def exemplar(traceparent: str) -> dict[str, str] | None:
    """What leads from a histogram's bucket to the trace; None where there is none."""
    ids = ids_of(traceparent)
    return None if ids is None else {"trace_id": ids[0]}


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
