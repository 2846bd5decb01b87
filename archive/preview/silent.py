"""Which past alerts would be silent now: held against suppressions as the stream holds new events against them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from contracts.config import within
from contracts.messages import Evidence
from contracts.suppressions import SUPPRESSIBLE, Suppression
from stream.rules.silencing import SilenceConfig, fits


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a past alert."""

    rule: str = ""
    kind: str = ""
    label: str = ""
    model: str = ""
    evidence: Evidence | None = None


def silent(alert: Looked, suppressions: Iterable[Suppression], time_zone: str) -> bool:
    """Whether one of its camera's suppressions would keep it silent, were it to come again at its time of day."""
    seen = alert.evidence
    if alert.kind not in SUPPRESSIBLE or seen is None or seen.xyxy is None:
        return False
    x1, y1, x2, y2 = seen.xyxy
    share = (x1 / seen.width, y1 / seen.height, x2 / seen.width, y2 / seen.height)
    meant = (alert.rule, alert.label, alert.model)
    return any(
        (one.rule, one.label, one.model) == meant
        and within((one.hours,), seen.captured_at_ms, time_zone)
        and fits(one, share, seen.embedding, SilenceConfig())
        for one in suppressions
    )
