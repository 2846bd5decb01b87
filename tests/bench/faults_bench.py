"""What the jobs, the agent and evidence make of faults: garbage on every topic, and kill -9 of Flink over and over.

python -m tests.bench faults [--shared DIR]
python -m tests.bench.faults_bench [--count 10000] [--kills 5] [--seed 7]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts import topics
from contracts.codec import encode
from contracts.controls import Budget, EdgeControl
from contracts.messages import Alert, DeadLetter, Frame, FrameTracks
from tests.bench.report import Row, table
from tests.edge_tools import RunningAgent, write_clip
from tests.jobs.faults import READ_BY_JOBS, READ_BY_OTHERS, killed, send_mixed
from tests.jobs.world import CONFIG, SiteUnderTest, visits

COUNT = 10_000
KILLS = 5
FRAMES = 600
"""A camera's, 10 a second: somebody comes every 8 s."""
BUDGETS = 10
PATIENCE_S = 900.0
SITE = CONFIG | {"cameras": {**CONFIG["cameras"], "door": {"inputs": [{"url": "unused.mp4"}]}}}
"""With a camera for a real agent."""

Say = Callable[[str], None]


def malformed(count: int, seed: int, say: Say) -> list[Row]:
    """`count` malformed messages on each topic that anybody reads, mixed into good frames and good controls."""
    kinds = READ_BY_JOBS | READ_BY_OTHERS
    with tempfile.TemporaryDirectory(prefix="vedette-faults-") as name:
        folder = Path(name)
        with (
            SiteUnderTest(folder, SITE, parts=("jobs", "evidence")) as site,
            RunningAgent(_agent_config(folder), site.system.bootstrap, folder / "edge") as agent,
        ):
            _send_budgets(site, 0)
            good = _frames()
            began_s = time.monotonic()
            sent = send_mixed(site, good, kinds, count, random.Random(seed))
            _send_budgets(site, 1)
            say(f"  {sum(sent.values())} malformed messages sent in {time.monotonic() - began_s:.0f} s")
            wanted = sum(sent.values())
            site.wait("dead letters", lambda: len(list(site.records(topics.DEAD_LETTERS))) >= wanted, PATIENCE_S)
            site.wait("tracks", lambda: len(_tracks(site)) >= len(good), PATIENCE_S)
            say(f"  all through after {time.monotonic() - began_s:.0f} s")
            letters = site.messages(topics.DEAD_LETTERS, DeadLetter)
            alerts = {alert.id for alert in site.messages(topics.ALERTS, Alert) if alert.site == "site"}
            kept = folder / "state" / "archive" / "evidence"
            site.wait("the alerts' pictures", lambda: len([*kept.rglob("alert.json")]) >= len(alerts), 60)
            changed = agent.log().count('"message":"changed"')
            places = {(t.camera, t.index) for t in _tracks(site)}
    found = Counter(letter.topic for letter in letters)
    places_of = Counter(camera for camera, _ in places)
    exact = all(found[topic] == number for topic, number in sent.items()) and all(letter.reason for letter in letters)
    visits_of = -(-FRAMES // 80)
    what = f"{count} malformed messages on each of {len(kinds)} topics"
    good_ones = places_of["gate"] == places_of["yard"] == FRAMES and len(alerts) == 2 * visits_of
    return [
        _row(f"{what}: a dead letter with a reason for each", f"{sum(found.values())} of {wanted}", exact),
        _row(f"{what}: good frames and their alerts", f"{len(places)} frames, {len(alerts)} alerts", good_ones),
        _row(f"{what}: good controls of the agent", f"{changed} of {2 * BUDGETS}", changed == 2 * BUDGETS),
    ]


def kills(number: int, seed: int, say: Say) -> list[Row]:
    """The alerts over the same recorded frames, undisturbed and with Flink killed at random moments."""
    frames = _frames()
    stories = []
    for times in (0, number):
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="vedette-kills-") as folder:
            stories.append(killed(Path(folder), frames, times, random.Random(seed)))
        say(f"  {times} kills: {len(stories[-1])} revisions in {time.monotonic() - began_s:.0f} s")
    calm, disturbed = stories
    same = calm == disturbed and bool(calm)
    measured = f"{len(set(disturbed) & set(calm))} of {len(calm)} revisions the same, {len(disturbed)} in all"
    return [_row(f"kill -9 of Flink {number} times over the same frames: ids, revisions, ends", measured, same)]


def faults(_shared: Path, _python: Path | None, say: Say) -> Sequence[Row]:
    """Both, as `make bench` runs them."""
    return malformed(COUNT, 7, say) + kills(KILLS, 7, say)


def _row(what: str, measured: str, met: bool) -> Row:
    return Row("faults", what, measured, "all" if "malformed" in what else "the same", met)


def _frames() -> list[Frame]:
    """Those of both cameras as they come."""
    return [one for pair in zip(visits("gate", FRAMES), visits("yard", FRAMES), strict=True) for one in pair]


def _tracks(site: SiteUnderTest) -> list[FrameTracks]:
    """Those of the good frames: the agent's own camera is another."""
    return [one for one in site.messages(topics.TRACKS, FrameTracks) if one.camera in ("gate", "yard")]


def _agent_config(folder: Path) -> Path:
    clip = write_clip(folder / "still.avi", 20)
    config = {
        "site": {"name": "site"},
        "edge": {"metrics_port": 0},
        "cameras": {"door": {"inputs": [{"url": str(clip), "loop": True}]}},
    }
    path = folder / "agent.yaml"
    path.write_text(json.dumps(config))
    return path


def _send_budgets(site: SiteUnderTest, turn: int) -> None:
    """Good controls for the agent's camera, which it says in its log that it took."""
    for number in range(BUDGETS):
        control = EdgeControl(site="site", change=Budget(camera="door", fps=1.0 + number))
        site.send_raw(topics.EDGE_CONTROLS, f"budget/{turn}/{number}".encode(), encode(control))
    site.producer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="malformed messages on each topic (0: none of it)")
    parser.add_argument("--kills", type=int, default=KILLS, help="of Flink (0: none of it)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    rows = malformed(options.count, options.seed, say) if options.count else []
    rows += kills(options.kills, options.seed, say) if options.kills else []
    print(table(rows))


if __name__ == "__main__":
    main()
