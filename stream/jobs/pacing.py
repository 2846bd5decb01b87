"""How much of its rate a camera may send while the jobs are behind: half at a time, and up again by and by; pure.

Only agents shed, before they accept a picture, so what is in the log is always decided. Rates fall by multiplication at
a sign of congestion, as senders' windows do (Jacobson, Congestion Avoidance and Control, 1988), each camera's by its
own lag: where one partition is full, the others' cameras go on.
"""

from __future__ import annotations

import msgspec

from contracts.config import Pace
from contracts.edge_messages import EdgeStatus

PATIENCE_MS = 120_000
"""Behind for so long is overload: what waited for a dead task manager is worked off sooner (docs/scaling.md)."""
CALM_MS = 60_000
"""After being on time for so long a camera may send more."""
LOWER, RAISE = 0.5, 1.5
OLD_MS = 3_600_000
"""Frames older than the topic keeps them are no backlog: a recording, or a clock that is wrong."""


class PaceState(msgspec.Struct, frozen=True, kw_only=True):
    """What a camera's agent was told (`share` 0: nothing yet), and whether its frames are `late`.

    `since_ms` is when either changed last. `offset_ms` is the agent's clock minus the broker's, as it says.
    """

    share: float = 0.0
    late: bool = False
    since_ms: int = 0
    offset_ms: int = 0


class Pacer:
    """Decides at each frame of a live lane; times are the wall clock's but for `captured_at_ms`, the agent's."""

    def __init__(self, config: Pace) -> None:
        self._config = config

    def heard(self, state: PaceState, status: EdgeStatus) -> PaceState:
        """Take in how far off the agent's clock is."""
        if status.clock_offset_ms in (None, state.offset_ms):
            return state
        return msgspec.structs.replace(state, offset_ms=status.clock_offset_ms)

    def step(self, state: PaceState, captured_at_ms: int, wall_ms: int) -> tuple[PaceState, float | None]:
        """The state, and the share (0-1) that the agent is to be told, if it is another than before."""
        behind_ms = wall_ms - (captured_at_ms - state.offset_ms)
        if behind_ms > OLD_MS:
            return state, None
        late = behind_ms > 1000 * self._config.behind_s
        since_ms = state.since_ms if late == state.late else wall_ms
        share = max(state.share or 1.0, self._config.least)  # a config of before may have let it fall further
        if late and wall_ms - since_ms >= PATIENCE_MS:
            share = max(share * LOWER, self._config.least)
        elif not late and wall_ms - since_ms >= CALM_MS:
            share = min(share * RAISE, 1.0)
        told = share if share != state.share else None
        since_ms = since_ms if told is None else wall_ms
        return PaceState(share=share, late=late, since_ms=since_ms, offset_ms=state.offset_ms), told
