"""The form of what `vedette doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]

GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `mend` is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""
