"""Tells the process which models `controls` promotes, and opens them before their time, while frames go on.

A thread of the process reads the topic itself: as a second input of the detect operator it would break the chain from
the Kafka source, and every frame would be copied once more (measured: 54.5 instead of 58.7 frames/s).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bus.consuming import Record
from bus.follower import Follower
from contracts.codec import decode
from contracts.controls import Control, EndCandidate, SetModel, slot_of
from contracts.errors import ContractError

if TYPE_CHECKING:
    from stream.vision import Slot

log = logging.getLogger(__name__)

NICENESS = 10
"""Where cores are short, frames on their way go before a model that is opened."""


class ModelControl:
    """Follows the compacted `controls` topic of `bootstrap` for the slots."""

    def __init__(self, bootstrap: str, topic: str, slots: Sequence[Slot[Any]]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._slots = {slot.name: slot for slot in slots}
        self._changed = False
        self._starter = threading.get_ident()

    def start(self) -> None:
        """Open what the topic promotes now, so that it is before the first frame, then go on in a thread of its own."""
        self._starter = threading.get_ident()
        Follower(self._bootstrap, self._topic, self._take, self._settle).start()

    def _take(self, record: Record) -> None:
        if record.value is not None:
            self.apply(record.value)

    def apply(self, value: bytes) -> None:
        """Note what a Control says of models, if it does."""
        try:
            control = decode(value, Control)
        except ContractError:
            return  # the decide job reads the same record and writes the dead letter
        match control.change:
            case SetModel(manifest=manifest):
                name = slot_of(manifest)
            case EndCandidate(task=name):
                pass
            case _:
                return
        if name not in self._slots:
            # Of faces: who is enrolled, what was seen and the calibration belong to one embedder, and change together.
            log.error("a model as %s is refused: what changes while the jobs run is %s", name, ", ".join(self._slots))
            return
        self._slots[name].take(control)
        self._changed = True

    def _settle(self) -> bool:
        """Open what is to be opened, once all that came together is noted."""
        if self._changed:
            self._changed = False
            if sys.platform == "linux" and threading.get_ident() != self._starter:
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            for slot in self._slots.values():
                slot.settle()
        return False
