"""The arguments of `vedette replay`, alone and with `--compare`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.config import Config
from contracts.config_file import load
from contracts.errors import ConfigError

if TYPE_CHECKING:
    from vedette.clips import Clip
    from vedette.replay import ReplayOptions

EPOCH_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC: the time of a replayed clip's first picture unless another is given."""


def run(given: argparse.Namespace) -> int:
    """Replay once, or twice and compare."""
    # Imported here, as OpenCV comes with them: no other command should wait for it.
    from vedette.clips import assign
    from vedette.replay import ReplayOptions, replay, say_on_stderr

    if given.compare:

        def plain(clips: dict[str, Clip]) -> ReplayOptions:
            return ReplayOptions(clips=clips, start_ms=given.start_ms, speed=given.speed, state_dir=given.state)

        return _compare(given, lambda config: assign(given.clips, config), plain)
    if given.config is None:
        raise ConfigError("--config", "is missing: the site's YAML file")
    config = load(given.config)
    options = ReplayOptions(
        clips=assign(given.clips, config),
        start_ms=given.start_ms,
        speed=given.speed,
        mot=given.mot,
        alerts=given.alerts,
        detections=given.detections,
        state_dir=given.state,
    )
    recording = replay(config, given.config, options, say_on_stderr)
    new = sum(alert.state == "new" for alert in recording.alerts)
    say_on_stderr(f"{len(recording.tracks)} frames, {new} alerts")
    return 0


def _compare(
    given: argparse.Namespace,
    clips: Callable[[Config], dict[str, Clip]],
    options: Callable[[dict[str, Clip]], ReplayOptions],
) -> int:
    from vedette.compare import compare_runs, setup_of
    from vedette.replay import say_on_stderr

    a, b = (setup_of(side, given.config) for side in given.compare)
    found = compare_runs((a, b), clips, options, given.out, say_on_stderr)
    say_on_stderr(
        f"{len(found.same)} incidents are the same, {len(found.moved)} moved, {len(found.lost)} lost, "
        f"{len(found.gained)} gained: {given.out / 'report.html'}"
    )
    return 0


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Clips, config, what is written, and the two sides of a comparison."""
    command.add_argument(
        "clips", nargs="+", metavar="CLIP", help="a video, or CAMERA=VIDEO; else in the config's order"
    )
    command.add_argument("--config", type=Path, metavar="FILE", help="cameras' zones and rules")
    command.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="run it twice, under two configs (.yaml) or with two models (the manifests, .json), and report what "
        "incidents are gained, lost and moved",
    )
    command.add_argument(
        "--out", type=Path, default=Path("compared"), metavar="DIR", help="of a comparison's report (default: compared)"
    )
    command.add_argument("--speed", choices=("max", "1"), default="max", help="as fast as it goes, or the video's own")
    command.add_argument("--start-ms", type=int, default=EPOCH_MS, metavar="MS", help="the first picture's time")
    command.add_argument("--mot", type=Path, metavar="OUT", help="tracks as MOTChallenge text (a folder for several)")
    command.add_argument("--alerts", type=Path, metavar="OUT", help="alerts as JSON lines (CloudEvents)")
    command.add_argument("--detections", type=Path, metavar="OUT", help="detections as JSON lines")
    command.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="where the frames are kept while it runs (default: the temporary folder): about 1.5 GB for an hour of "
        "480 lines at 10 frames/s; what the clips need is estimated, and looked for, before anything starts",
    )
