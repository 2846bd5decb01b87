"""What an operator's "false" or "nuisance" silences: what comes again like the alert that was answered, for a while."""

from __future__ import annotations

import msgspec

from contracts.config.base import Period
from contracts.fields import Id, Millis, Share

SUPPRESSIBLE = ("zone_entry", "loitering", "line_crossing", "wrong_way", "running", "left_object")
"""Kinds of rules that speak of one thing in the picture. Who somebody is, is denied instead (`not_person`)."""


class Suppression(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One alert that was answered, as its box was; `id` is the answer's, its camera that of the change which tells it.

    `xyxy` is 0-1 of the picture, `embedding` its appearance as little-endian float16 (empty: only the place counts).
    It holds for what `model` (name@version) sees, since another one may not err, and its vectors mean something else;
    in `hours` of the site's day, by which light repeats itself; until `until_ms`.
    """

    id: Id
    alert: Id
    rule: str
    label: str
    xyxy: tuple[Share, Share, Share, Share]
    model: str
    hours: Period
    made_at_ms: Millis
    until_ms: Millis
    embedding: bytes = b""
