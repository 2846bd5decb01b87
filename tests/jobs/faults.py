"""What goes wrong on purpose: garbage between good messages, and Flink killed at random moments."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from contracts import topics
from contracts.codec import encode
from contracts.messages import Alert, Frame, FrameTracks, Message
from tests.golden.samples import SAMPLES
from tests.jobs.world import SiteUnderTest, story

READ_BY_JOBS: dict[str, Message] = {
    topics.frames("site"): SAMPLES["frame"],
    topics.frames_late("site"): SAMPLES["frame"],
    topics.DETECTIONS: SAMPLES["frame_detections"],
    topics.EDGE_STATUS: SAMPLES["edge_status"],
    topics.TRACKS: SAMPLES["frame_tracks"],
    topics.MODEL_REPORTS: SAMPLES["model_report"],
    topics.CONTROLS: SAMPLES["control_rule"],
}
"""The topics that the jobs read, each with a message of its kind."""
READ_BY_OTHERS: dict[str, Message] = {
    topics.ALERTS: SAMPLES["alert"],
    topics.EDGE_CONTROLS: SAMPLES["edge_control_budget"],
}
"""Those of evidence and of the agent."""

HUGE = {True: 3_000_000, False: 900_000}
"""Bytes: what frames topics take, and what others do (Kafka's own limit is 1 MiB)."""
HUGE_EVERY = 1000


def garbage(kind: Message, number: int, rng: random.Random, *, frames: bool) -> bytes:
    """The `number`th malformed message in place of a `kind`: random bytes, cut short, of a later version, huge, ..."""
    whole = encode(kind)
    if number % HUGE_EVERY == 0:
        return b"\x00" * HUGE[frames]
    makers = [
        lambda: rng.randbytes(rng.randrange(1, 200)),
        lambda: whole[: rng.randrange(1, len(whole))],
        lambda: encode(replace(kind, v=99)),
        lambda: b"",
    ]
    if isinstance(kind, Frame):
        makers += [
            lambda: encode(replace(kind, site="site", jpeg=b"\xff\xd8" + rng.randbytes(50))),
            lambda: encode(replace(kind, site="elsewhere")),
        ]
    return makers[number % len(makers)]()


def send_mixed(
    site: SiteUnderTest, good: Sequence[Frame], kinds: dict[str, Message], count: int, rng: random.Random
) -> Counter[str]:
    """Send `count` malformed messages to each topic, and the good frames between them; returns how many each got."""
    sent: Counter[str] = Counter()
    left = list(good)
    for number in range(count):
        for topic, kind in kinds.items():
            value = garbage(kind, number, rng, frames=isinstance(kind, Frame))
            # A key each: the compacted topics take no record without one, and forget what another one replaces.
            site.send_raw(topic, f"junk-{number}".encode(), value)
            sent[topic] += 1
        due = len(good) - len(good) * (number + 1) // count
        while len(left) > due:
            site.send([left.pop(0)])
    return sent


def killed(folder: Path, frames: Sequence[Frame], kills: int, rng: random.Random) -> list[tuple[str, int, str, int]]:
    """The story of the alerts over these frames with Flink killed so many times, each time at a random moment.

    The frames come in parts, and each kill is somewhere in its part: so there is always something to be killed in.
    """
    cuts = [0, *sorted(rng.sample(range(1, len(frames)), kills)), len(frames)]
    with SiteUnderTest(folder) as site:
        for number, (start, end) in enumerate(itertools.pairwise(cuts)):
            site.send(frames[start:end])
            if number < kills:
                passed = rng.randrange(start, end) + 1
                site.wait(f"{passed} tracks", lambda: len(_places(site)) >= passed)  # noqa: B023
                site.kill_flink()
        site.wait("the last frames", lambda: len(_places(site)) == len(frames), 400)
        return story(site.messages(topics.ALERTS, Alert))


def _places(site: SiteUnderTest) -> set[tuple[str, int]]:
    """The frames whose tracks are there; a restart may have written some twice."""
    return {(tracks.camera, tracks.index) for tracks in site.messages(topics.TRACKS, FrameTracks)}
