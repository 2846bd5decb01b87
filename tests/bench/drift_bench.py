"""How often drift is seen where there is none, and how soon where there is: `python -m tests.bench.drift_bench`.

Tracks' confidences are drawn, normal around .7 with a deviation of .1: no camera's, but their order is exchangeable, as
what is promised asks for. Half a minute of one core.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from contracts.config import Drift
from stream.drift import DriftWatch, PartState, Sample

CONFIG = Drift(apart_s=0)
WATCH = DriftWatch(CONFIG)
REFERENCES, CALM_BLOCKS, MOST_BLOCKS = 30, 150, 40
SHIFTS = (0.03, 0.05, 0.1)


def drifted(state: PartState, random: np.random.RandomState, mean: float, blocks: int) -> tuple[PartState, list[bool]]:
    """The state after so many blocks of tracks, and what each of them says."""
    said: list[bool] = []
    for confidence in random.normal(mean, 0.1, blocks * CONFIG.tracks).clip(0, 1):
        state, word = WATCH.step(state, Sample(state.last_at_ms + 1, "m", float(confidence), b""))
        if word is not None:
            said.append(any(one.drifted for one in word.signals))
    return state, said


def main() -> None:
    """Print the figures."""
    random = np.random.RandomState(5)
    alarms = 0
    found: dict[float, list[int]] = {shift: [] for shift in SHIFTS}
    for _ in range(REFERENCES):
        learnt, _ = drifted(PartState(), random, 0.7, CONFIG.blocks)
        _, calm = drifted(learnt, random, 0.7, CALM_BLOCKS)
        alarms += sum(now and not before for before, now in zip([False, *calm], calm, strict=False))
        for shift in SHIFTS:
            _, said = drifted(learnt, random, 0.7 - shift, MOST_BLOCKS)
            found[shift] += islice((number for number, one in enumerate(said, 1) if one), 1)
    print(f"nothing changed: {alarms} alarms in {REFERENCES * CALM_BLOCKS} blocks of {CONFIG.tracks} tracks")
    for shift, blocks in found.items():
        median = f", half of them within {np.median(blocks):.0f} blocks" if blocks else ""
        print(f"confidence lower by {shift}: {len(blocks)} of {REFERENCES} found within {MOST_BLOCKS} blocks{median}")


if __name__ == "__main__":
    main()
