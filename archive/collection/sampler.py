"""Which of a camera's frames are worth keeping beside its alerts: pure, for one frame's boxes after the other."""

from __future__ import annotations

import zlib

import msgspec

from contracts.day_parts import part_of_day
from contracts.messages import FrameDetections

UNSURE = (0.15, 0.6)
"""Boxes of such a confidence are what the next model could be surer of, one way or the other."""
REVIEWED = 0.1
"""Of the frames for which there is room so many are kept without a reason: misses look like nothing."""
REVIEW = "random review"
BURST = 3.0
"""A quiet hour's room is not saved up for longer than so many frames."""
HOUR_MS = 3_600_000


class SamplerState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one camera: its room for frames, and which labels it has had in each part of the day."""

    v: int = 1
    room: float = 1.0
    at_ms: int = 0
    known: frozenset[tuple[str, int]] = frozenset()


class Sampler:
    """Takes at most `per_hour` frames of a camera, and none within a tenth of their mean distance."""

    def __init__(self, per_hour: float) -> None:
        self._every_ms = HOUR_MS / per_hour

    def step(self, state: SamplerState, frame: FrameDetections) -> tuple[SamplerState, tuple[str, ...]]:
        """Look at the next frame; gives why it is kept, if it is. Earlier ones than the last change nothing."""
        if frame.captured_at_ms <= state.at_ms:
            return state, ()
        grown = (frame.captured_at_ms - state.at_ms) / self._every_ms if state.at_ms else 0.0
        room = min(BURST, state.room + grown)
        now = msgspec.structs.replace(state, room=room, at_ms=frame.captured_at_ms)
        if room < 1:
            return now, ()
        sure = {box.label for box in frame.detections if box.confidence > UNSURE[1]}
        firsts = {(label, part_of_day(frame.captured_at_ms)) for label in sure} - state.known
        reasons = why(frame, {label for label, _ in firsts})
        if not reasons:
            return now, ()
        return msgspec.structs.replace(now, room=room - 1, known=state.known | firsts), reasons


def why(frame: FrameDetections, firsts: set[str]) -> tuple[str, ...]:
    """The reasons to keep a frame. What is drawn for review depends on its place alone, so a replay draws the same."""
    reasons = [f"first {label} of this part of the day" for label in sorted(firsts)]
    if any(UNSURE[0] <= box.confidence <= UNSURE[1] for box in frame.detections):
        reasons.append("seen unsurely")
    place = f"{frame.camera}/{frame.session}/{frame.index}".encode()
    if not reasons and zlib.crc32(place) < REVIEWED * 2**32:
        reasons.append(REVIEW)
    return tuple(reasons)
