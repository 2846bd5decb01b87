"""Lets people go whose time is over (`faces.retention`): enrolled ones by group, unknown ones by their last visit."""

from __future__ import annotations

import logging

from console.people.register import Register
from console.people.unknowns import Unknowns
from contracts.config import FaceRetention
from contracts.topics import DAY_MS, HOUR_MS

log = logging.getLogger(__name__)


class Ending:
    """`step` is called every second, and looks once an hour; what fails is tried again with the next."""

    def __init__(self, register: Register, unknowns: Unknowns, retention: FaceRetention) -> None:
        self._register = register
        self._unknowns = unknowns
        self._unknown_days = retention.unknown.seen_days
        self._looked_at_ms = -HOUR_MS

    def step(self, now_ms: int) -> None:
        """Remove and have forgotten what is due at `now_ms`."""
        if now_ms - self._looked_at_ms < HOUR_MS:
            return
        if removed := self._register.let_go(now_ms):
            log.info("%d people are removed: the time of their group is over", removed)
        if self._unknown_days is not None:
            self._unknowns.let_go(now_ms - round(self._unknown_days * DAY_MS))
        self._looked_at_ms = now_ms
