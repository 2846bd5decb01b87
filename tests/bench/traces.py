"""What following frames costs one that isn't sampled, in nanoseconds: `python -m tests.bench.traces`."""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable

import msgspec

from contracts import trace
from contracts.codec import decode, encode
from contracts.messages import Frame
from stream.jobs.clock import now_ms
from tests.golden.samples import SAMPLES

NUMBER, REPEATS = 20_000, 9
FRAME_NS = 1e9 / 58.7
"""What a frame takes from the log to its boxes on one core, at the rate that was measured for YOLOX-nano."""


def nanoseconds(work: Callable[[], object]) -> float:
    """The best of some runs: what it costs when nothing else is in the way."""
    return min(timeit.repeat(work, number=NUMBER, repeat=REPEATS)) / NUMBER * 1e9


def steps() -> dict[str, float]:
    """What each part adds to a frame that isn't sampled."""
    written = encode(SAMPLES["frame"])
    fields = msgspec.msgpack.decode(written)
    del fields["traceparent"]
    shorter = msgspec.msgpack.encode(fields)
    call = nanoseconds(lambda: None)
    return {
        "agent: is it sampled (share 0.01)": nanoseconds(lambda: trace.sampled(123_456, 0.01)) - call,
        "agent: the exemplar": nanoseconds(lambda: trace.exemplar("")) - call,
        "detect: 13 bytes more to read": nanoseconds(lambda: decode(written, Frame))
        - nanoseconds(lambda: decode(shorter, Frame)),
        "detect: two looks at the clock": 2 * (nanoseconds(now_ms) - call),
        "detect: the next traceparent": nanoseconds(lambda: trace.child("", "detect")) - call,
        "detect: the exemplar": nanoseconds(lambda: trace.exemplar("")) - call,
        "decide: one look at the clock": nanoseconds(now_ms) - call,
    }


def main() -> int:
    """Print them and their sum."""
    found = steps()
    for name, cost_ns in found.items():
        print(f"{cost_ns:8.0f} ns  {name}")
    total_ns = sum(found.values())
    print(f"{total_ns:8.0f} ns  of {FRAME_NS / 1e6:.0f} ms that a frame takes: {total_ns / FRAME_NS:.4%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
